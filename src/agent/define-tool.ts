import { ValidationError } from '../errors.ts';
import { checkObject, describe } from '../model/ids.ts';
import { reading } from '../model/json.ts';
import { nearest } from '../model/known-keys.ts';
import type { ApprovalContext, Tool } from './tool.ts';
import type { ToolContext } from './tool-context.ts';
import { checkToolName } from './tool-name.ts';
import type { ToolResultOutput } from './translate/model-message.ts';

/** What a schema of zod 3 or 4, a standard schema or `jsonSchema()` accepts. */
export type InferInput<SCHEMA> = SCHEMA extends { _output: infer T }
  ? T
  : SCHEMA extends { _type: infer T }
    ? T
    : SCHEMA extends { '~standard': { types?: { output: infer T } | undefined } }
      ? T
      : unknown;

/** What `defineTool` takes. */
export interface ToolDefinition<SCHEMA, OUTPUT> {
  /**
   * How the model calls it, unique within a template: 1 to 64 letters of ASCII, digits, `_` and `-`, which is what
   * every provider takes.
   */
  name: string;
  /** Tells the model when and how to use the tool. */
  description?: string | undefined;
  /** zod 3 or 4, a standard schema, or the AI SDK's `jsonSchema()`. Default: an object without properties. */
  inputSchema?: SCHEMA | undefined;
  /** Another name for `inputSchema`. */
  input?: SCHEMA | undefined;
  /** Whether somebody must allow a call before it runs. Asked again when a call that hasn't begun is resumed. */
  needsApproval?:
    | boolean
    | ((input: InferInput<SCHEMA>, context: ApprovalContext) => boolean | Promise<boolean>);
  /**
   * A call that a crash cut off may be run again. Its `context.idempotencyKey` is the same each time.
   * Default: false, and the call is sealed with an error.
   */
  idempotent?: boolean | undefined;
  /** Milliseconds after which the call fails. Default: none. */
  timeoutMs?: number | undefined;
  /** What it returns is stored and shown to the model. What it throws fails the call. It may yield preliminary results. */
  execute(input: InferInput<SCHEMA>, context: ToolContext): OUTPUT | Promise<OUTPUT> | AsyncIterable<OUTPUT>;
  /** What the model sees of an output. Default: a string as text, anything else as JSON. */
  toModelOutput?(call: {
    toolCallId: string;
    input: InferInput<SCHEMA>;
    output: OUTPUT;
  }): ToolResultOutput | Promise<ToolResultOutput>;
}

/**
 * Defines a tool.
 *
 * @example
 * const refund = defineTool({
 *   name: 'refund',
 *   description: 'Pays an order back.',
 *   inputSchema: z.object({ order: z.number() }),
 *   needsApproval: true,
 *   execute: async ({ order }) => ({ refunded: order }),
 * });
 */
export function defineTool<SCHEMA = unknown, OUTPUT = unknown>(
  definition: ToolDefinition<SCHEMA, OUTPUT>,
): Tool {
  return reading('definition', () => checkedTool(definition));
}

const TOOL_KEYS = [
  'name',
  'description',
  'inputSchema',
  'input',
  'needsApproval',
  'idempotent',
  'timeoutMs',
  'execute',
  'toModelOutput',
];

/** What the AI SDK knows of a tool beside that, and is handed on to it. */
const SDK_KEYS = new Set([
  ...[
    'type',
    'id',
    'args',
    'title',
    'strict',
    'metadata',
    'providerOptions',
    'outputSchema',
    'contextSchema',
  ],
  ...['inputExamples', 'supportsDeferredResults', 'onInputStart', 'onInputDelta', 'onInputAvailable'],
]);

/** A later SDK may know more: a key is refused where it looks like a slip of one of ours. */
function checkToolKeys(definition: object): void {
  for (const key of Object.keys(definition)) {
    if (TOOL_KEYS.includes(key) || SDK_KEYS.has(key)) continue;
    const near = nearest(key, TOOL_KEYS);
    if (near === undefined) continue;
    throw new ValidationError(`definition.${key}`, `is no field of a tool (did you mean "${near}"?)`);
  }
}

function checkedTool<SCHEMA, OUTPUT>(definition: ToolDefinition<SCHEMA, OUTPUT>): Tool {
  checkObject('definition', definition);
  checkToolKeys(definition);
  const { name, input, inputSchema = input, idempotent = false, ...rest } = definition;
  checkToolName('name', name);
  if (typeof rest.execute !== 'function') {
    throw new ValidationError(
      'execute',
      `of tool "${name}" must be a function, not ${describe(rest.execute)}`,
    );
  }
  const { timeoutMs } = rest;
  if (timeoutMs !== undefined && !(Number.isInteger(timeoutMs) && timeoutMs > 0)) {
    throw new ValidationError('timeoutMs', `of tool "${name}" must be a positive integer`);
  }
  if (typeof idempotent !== 'boolean') {
    throw new ValidationError('idempotent', `of tool "${name}" must be true or false`);
  }
  const { needsApproval } = rest;
  if (
    needsApproval !== undefined &&
    typeof needsApproval !== 'boolean' &&
    typeof needsApproval !== 'function'
  ) {
    throw new ValidationError('needsApproval', `of tool "${name}" must be true, false or a function`);
  }
  return Object.freeze({ ...rest, name, inputSchema, idempotent });
}
