import { encodeJson } from '../model/json.ts';
import type { ContentBlock } from '../model/message.ts';
import type { ChatMessage, ChatPart, ChatToolCall } from './openai-schema.ts';

/** Content as blocks; text alone is one block, `null` or nothing is none. */
export function toBlocks(content: ChatMessage['content']): ContentBlock[] {
  if (content === null || content === undefined) return [];
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content.map(toBlock);
}

export function toolUseBlock(call: ChatToolCall): ContentBlock {
  const { name, arguments: text } = call.function;
  const { input, exact } = parseArguments(text);
  return {
    type: 'tool_use',
    id: call.id,
    name,
    input,
    ...(exact ? {} : { arguments_text: text }),
    ...metadata(call, ['id', 'type', 'function'], metadata(call.function, ['name', 'arguments']).metadata),
  };
}

/**
 * The keys of a value that have no place of their own in the store's form, as its `metadata`; nothing
 * when there are none.
 */
export function metadata(
  value: object,
  known: readonly string[],
  more: object = {},
): { metadata?: Record<string, unknown> } {
  const rest = Object.entries(value).filter(([key]) => !known.includes(key));
  const entries = [...rest, ...Object.entries(more)];
  return entries.length > 0 ? { metadata: Object.fromEntries(entries) } : {};
}

function toBlock(part: ChatPart): ContentBlock {
  switch (part.type) {
    case 'image_url': {
      const { url } = part.image_url;
      return { type: 'image', ...fromUrl(url), ...restOf(part, part.image_url, ['url']) };
    }
    case 'input_audio': {
      const { data, format } = part.input_audio;
      return {
        type: 'audio',
        base64: data,
        mime_type: `audio/${format}`,
        ...restOf(part, part.input_audio, ['data', 'format']),
      };
    }
    case 'file': {
      const { file_id: id, file_data: data, filename } = part.file;
      return {
        type: 'file',
        ...(id === undefined ? {} : { file_id: id }),
        ...(data === undefined ? {} : fromUrl(data)),
        ...(filename === undefined ? {} : { filename }),
        ...restOf(part, part.file, ['file_id', 'file_data', 'filename']),
      };
    }
    default:
      // Text has the same form in both formats, and a refusal is kept whole as a block of its kind.
      return part;
  }
}

function restOf(part: ChatPart, inner: object, known: readonly string[]): ReturnType<typeof metadata> {
  return metadata(part, ['type', part.type], metadata(inner, known).metadata);
}

function fromUrl(url: string): { url: string } | { base64: string; mime_type: string } {
  const inline = /^data:([^;,]+);base64,/.exec(url);
  const type = inline?.[1];
  return inline && type ? { base64: url.slice(inline[0].length), mime_type: type } : { url };
}

/**
 * The input that a model asked for. A text that is no JSON, or none that can be stored (`1e999`), gives an
 * empty input, as models' interfaces insist on an object there; `exact` says whether the input gives the
 * text back.
 */
function parseArguments(text: string): { input: unknown; exact: boolean } {
  try {
    const input: unknown = JSON.parse(text);
    return { input, exact: encodeJson(input, 'arguments') === text };
  } catch {
    return { input: {}, exact: false };
  }
}
