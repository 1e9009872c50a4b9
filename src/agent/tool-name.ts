import { quoted, ValidationError } from '../errors.ts';
import { describe } from '../model/ids.ts';

/** As every provider takes them. */
export const MAX_TOOL_NAME = 64;
/** As at least one of them takes them. */
export const MAX_RECORDED_NAME = 128;

const EVERYWHERE = new RegExp(`^[a-zA-Z0-9_-]{1,${MAX_TOOL_NAME}}$`);
const SOMEWHERE = new RegExp(`^[a-zA-Z0-9_.:-]{1,${MAX_RECORDED_NAME}}$`);

/** Whether every provider takes the name. */
export function isTakenEverywhere(name: string): boolean {
  return EVERYWHERE.test(name);
}

/** Whether any provider takes the name. */
export function isTakenSomewhere(name: string): boolean {
  return SOMEWHERE.test(name);
}

/** The name that a tool is given: providers refuse every request with a tool of an impossible one. */
export function checkToolName(field: string, name: unknown): asserts name is string {
  if (typeof name === 'string' && isTakenEverywhere(name)) return;
  refuse(
    field,
    name,
    `1 to ${MAX_TOOL_NAME} letters (a-z, A-Z), digits, "_" and "-", as every provider takes`,
  );
}

/** The name of a tool in a record, which may come from a server of tools: some providers take more. */
export function checkRecordedName(field: string, name: string): void {
  if (isTakenSomewhere(name)) return;
  refuse(field, name, `1 to ${MAX_RECORDED_NAME} letters (a-z, A-Z), digits, "_", "-", "." and ":"`);
}

function refuse(field: string, name: unknown, words: string): never {
  const given = typeof name === 'string' ? quoted(name) : describe(name);
  throw new ValidationError(field, `a tool's name must be ${words} for a model to call it, not ${given}`);
}
