import type { ToolResultBlock } from '../../model/message.ts';
import { isMediaBlock, mediaItem } from './media.ts';
import type { JsonValue, ToolResultItem, ToolResultOutput } from './model-message.ts';
import { isObject, jsonable } from './values.ts';

/** An output of the SDK's, of any version. */
export interface ToolResultOutputInput {
  readonly type: string;
}

/** What a `tool_result` block holds of a tool's outcome. */
export type ToolResultContent = Pick<ToolResultBlock, 'content' | 'is_error'>;

/**
 * The content of a `tool_result` block for an output of the model SDK: text as a string, JSON as the value,
 * several items as their array. What would be mistaken for another kind then, and what is more than a kind
 * and a value, is kept whole. `outputOf` gives exactly the same output back.
 *
 * @example
 * contentOf({ type: 'text', value: '3 files' });             // { content: '3 files' }
 * contentOf({ type: 'error-text', value: 'No such file' });  // { content: 'No such file', is_error: true }
 * contentOf({ type: 'json', value: '3 files' });             // { content: { type: 'json', value: '3 files' } }
 */
export function contentOf(output: ToolResultOutputInput): ToolResultContent {
  const failed = output.type === 'error-text' || output.type === 'error-json';
  const content = isPlain(output) ? jsonable(output.value) : whole(jsonable(output));
  return failed ? { content, is_error: true } : { content };
}

/**
 * The output for the model SDK that a `tool_result` block stands for.
 *
 * @example
 * outputOf({ content: { files: 3 } });             // { type: 'json', value: { files: 3 } }
 * outputOf({ content: 'Denied', is_error: true }); // { type: 'error-text', value: 'Denied' }
 */
export function outputOf(block: ToolResultContent): ToolResultOutput {
  const { content = '', is_error: failed } = block;
  if (isWrapped(content)) return content.value as ToolResultOutput;
  if (isOutput(content)) return content.type === 'content' ? revived(content) : content;
  if (typeof content === 'string') return { type: failed ? 'error-text' : 'text', value: content };
  if (failed) return { type: 'error-json', value: content as JsonValue };
  if (isContent(content)) return revived({ type: 'content', value: content as ToolResultItem[] });
  return { type: 'json', value: content as JsonValue };
}

/** Whether an output is nothing but a kind and a value, from which `outputOf` will tell the kind. */
function isPlain(output: ToolResultOutputInput): output is { type: string; value: unknown } {
  const { type, value, ...rest } = output as { type: string; value?: unknown };
  if (value === undefined || Object.values(rest).some((extra) => extra !== undefined)) return false;
  switch (type) {
    case 'text':
    case 'error-text':
      return typeof value === 'string';
    case 'json':
      return typeof value !== 'string' && !isContent(value) && !isWhole(value);
    case 'error-json':
      return typeof value !== 'string' && !isWhole(value);
    case 'content':
      return isContent(value);
    default:
      return false;
  }
}

/** An output of a kind that isn't known here is wrapped, as nothing else tells it from a tool's own JSON. */
function whole(output: unknown): unknown {
  return isOutput(output) ? output : { type: 'output', value: output };
}

function isWhole(value: unknown): boolean {
  return isOutput(value) || isWrapped(value);
}

function isWrapped(value: unknown): value is { type: 'output'; value: { type: string } } {
  if (!isObject(value) || value.type !== 'output' || Object.keys(value).length !== 2) return false;
  return isObject(value.value) && typeof value.value.type === 'string';
}

function isOutput(value: unknown): value is ToolResultOutput {
  if (!isObject(value)) return false;
  switch (value.type) {
    case 'text':
    case 'error-text':
      return typeof value.value === 'string';
    case 'json':
    case 'error-json':
      return value.value !== undefined;
    case 'content':
      return Array.isArray(value.value) && (value.value.length === 0 || isContent(value.value));
    default:
      return value.type === 'execution-denied';
  }
}

/** What an item of each kind must have, beside its type. */
const ITEMS: Record<string, readonly string[]> = {
  text: ['text'],
  file: ['data', 'mediaType'],
  media: ['data', 'mediaType'],
  'file-data': ['data', 'mediaType'],
  'file-url': ['url'],
  'file-id': ['fileId'],
  'file-reference': ['providerReference'],
  'image-data': ['data', 'mediaType'],
  'image-url': ['url'],
  'image-file-id': ['fileId'],
  'image-file-reference': ['providerReference'],
  custom: ['providerOptions'],
};

/** Whether an array is made of items that a model can be shown; a tool's own JSON may be any array. */
function isContent(value: unknown): value is unknown[] {
  return (
    Array.isArray(value) && value.length > 0 && value.every((item) => isMediaBlock(item) || isItem(item))
  );
}

function isItem(item: unknown): boolean {
  if (!isObject(item) || typeof item.type !== 'string' || !Object.hasOwn(ITEMS, item.type)) return false;
  return ITEMS[item.type]?.every((key) => typeof item[key] === 'string' || isObject(item[key])) === true;
}

/** Media blocks in the SDK's form, and URLs as the objects that it insists on in an item of type `file`. */
function revived(output: ToolResultOutput & { type: 'content' }): ToolResultOutput {
  const value = output.value.map((item: unknown) => {
    if (isMediaBlock(item)) return mediaItem(item);
    if (!isObject(item) || item.type !== 'file' || !isObject(item.data)) return item;
    const { type, url } = item.data;
    if (type !== 'url' || typeof url !== 'string' || !URL.canParse(url)) return item;
    return { ...item, data: { ...item.data, url: new URL(url) } };
  });
  return { ...output, value: value as ToolResultItem[] };
}
