import { ValidationError } from '../errors.ts';
import { checkObject } from '../model/ids.ts';
import { checkObjects } from './check-objects.ts';
import type { ApprovalContext, SdkTool, Tool, ToolSet } from './tool.ts';
import type { ToolContext } from './tool-context.ts';
import { checkRecordedName, checkToolName } from './tool-name.ts';

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
export function knownTools(tools: readonly Tool[] | ToolSet = []): Map<string, KnownTool> {
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
