import { ValidationError } from '../errors.ts';
import { checkObject, describe } from '../model/ids.ts';
import { reading } from '../model/json.ts';
import { nearest } from '../model/known-keys.ts';
import { checkObjects } from './agent-arguments.ts';
import type { AgentTemplate } from './template.ts';
import type { ToolContext } from './tool-context.ts';
import { checkRecordedName, checkToolName } from './tool-name.ts';
import type { ModelMessage, ToolResultOutput } from './translate/model-message.ts';

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

/** What `needsApproval` is told beside the input. */
export interface ApprovalContext {
  /** The model's name for the call. */
  toolCallId: string;
  /** What the model saw when it asked for the call. */
  messages: ModelMessage[];
}

/** A tool as `defineTool` makes it. */
export interface Tool {
  /** How the model calls it. */
  readonly name: string;
  /** What the model is told of it. */
  readonly description?: string | undefined;
  /** As it was given; undefined for an object without properties. */
  readonly inputSchema: unknown;
  /** Whether a call that a crash cut off may be run again. */
  readonly idempotent: boolean;
  /** Milliseconds after which a call fails; undefined: never. */
  readonly timeoutMs?: number | undefined;
  /** As it was given. */
  readonly needsApproval?: boolean | ((input: never, context: never) => boolean | PromiseLike<boolean>);
  /** As it was given. */
  readonly execute: (input: never, context: never) => unknown;
  /** As it was given. */
  readonly toModelOutput?: (call: never) => unknown;
}

/** A record of the AI SDK's tools by name (`tool()`, MCP clients). */
export type ToolSet = Readonly<Record<string, SdkTool>>;

/** A tool of the AI SDK, as far as the agent looks at it. */
export interface SdkTool {
  /** What the model is told of it. */
  readonly description?: unknown;
  /** What its input must be. */
  readonly inputSchema?: unknown;
  /** Whether somebody must allow a call: true, false or a function. Approvals are kept by the store. */
  readonly needsApproval?: unknown;
  /** Runs a call. Without it, the provider must be the one that runs it. */
  readonly execute?: unknown;
  /** What the model sees of an output. */
  readonly toModelOutput?: unknown;
  /** `provider` for a tool that the provider runs. */
  readonly type?: string | undefined;
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

/** A tool as the loop uses it, whatever it was given as. */
export interface KnownTool {
  name: string;
  inputSchema: unknown;
  idempotent: boolean;
  timeoutMs: number | undefined;
  needsApproval(input: unknown, context: ApprovalContext): Promise<boolean>;
  /** Absent for a tool that the provider runs. */
  execute: ((input: unknown, context: ToolContext) => unknown) | undefined;
  toModelOutput: ((call: { toolCallId: string; input: unknown; output: unknown }) => unknown) | undefined;
  /** What it was given as, for the model SDK. */
  source: Tool | SdkTool;
}

/** A template's tools by name. */
export function knownTools(tools: AgentTemplate['tools'] = []): Map<string, KnownTool> {
  const isList = Array.isArray(tools);
  if (!isList) checkObject('template.tools', tools);
  const named: [string, Tool | SdkTool][] = isList
    ? checkObjects('template.tools', tools as readonly Tool[]).map((tool) => [tool.name, tool])
    : Object.entries(tools as ToolSet);
  const known = new Map<string, KnownTool>();
  for (const [name, tool] of named) {
    checkObject('template.tools', tool);
    if (isList) checkToolName('template.tools', name);
    else checkRecordedName('template.tools', name);
    if (known.has(name)) throw new ValidationError('template.tools', `has two tools named "${name}"`);
    known.set(name, knownTool(name, tool));
  }
  return known;
}

function knownTool(name: string, source: Tool | SdkTool): KnownTool {
  const { execute, needsApproval, toModelOutput } = source as Tool;
  const ofProvider = 'type' in source && source.type === 'provider';
  if (typeof execute !== 'function' && !ofProvider) {
    throw new ValidationError(
      'template.tools',
      `"${name}" has no execute function, so nobody could run its calls`,
    );
  }
  return {
    name,
    inputSchema: source.inputSchema,
    idempotent: 'idempotent' in source && source.idempotent === true,
    timeoutMs: 'timeoutMs' in source ? source.timeoutMs : undefined,
    needsApproval: async (input, context) =>
      typeof needsApproval === 'function'
        ? (needsApproval as (input: unknown, context: unknown) => boolean | PromiseLike<boolean>).call(
            source,
            input,
            context,
          )
        : needsApproval === true,
    execute: typeof execute === 'function' ? (execute.bind(source) as KnownTool['execute']) : undefined,
    toModelOutput:
      typeof toModelOutput === 'function'
        ? (toModelOutput.bind(source) as KnownTool['toModelOutput'])
        : undefined,
    source,
  };
}
