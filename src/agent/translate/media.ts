import { isUrl } from '../../model/foreign.ts';
import type { ContentBlock, MediaBlock } from '../../model/message.ts';
import type { FilePart, ImagePart, ModelProviderOptions, ToolResultItem } from './model-message.ts';
import { base64Of, isObject, optionsOf } from './values.ts';

const MEDIA = ['image', 'audio', 'video', 'file'];

/** Whether a block is one of the store's media blocks, rather than a part of the SDK's that was kept whole. */
export function isMediaBlock(value: unknown): value is MediaBlock {
  return isObject(value) && MEDIA.includes(String(value.type)) && sourceOf(value) !== undefined;
}

/** A media block as an answer has it, which knows files only. */
export function filePart(block: MediaBlock): FilePart {
  const data = sourceOf(block) ?? '';
  return { type: 'file', data, mediaType: mediaTypeOf(block), ...filename(block), ...optionsOf(block) };
}

/** A media block as a user sends it: an image of unknown type is left to the SDK, which looks at its bytes. */
export function userMediaPart(block: MediaBlock): ImagePart | FilePart {
  if (block.type !== 'image' || block.mime_type !== undefined) return filePart(block);
  return { type: 'image', image: sourceOf(block) ?? '', ...optionsOf(block) };
}

/** A media block within a tool's result, in the form that all versions of the SDK know. */
export function mediaItem(block: MediaBlock): ToolResultItem {
  const { url, base64 } = block;
  const options = optionsOf(block);
  const image = block.type === 'image';
  if (base64 !== undefined) {
    return image
      ? { type: 'image-data', data: base64, mediaType: mediaTypeOf(block), ...options }
      : { type: 'file-data', data: base64, mediaType: mediaTypeOf(block), ...filename(block), ...options };
  }
  if (url !== undefined) {
    const mediaType = block.mime_type === undefined ? {} : { mediaType: block.mime_type };
    return image
      ? { type: 'image-url', url, ...options }
      : { type: 'file-url', url, ...mediaType, ...options };
  }
  return { type: image ? 'image-file-id' : 'file-id', fileId: block.file_id ?? '', ...options };
}

interface MediaFields {
  data: unknown;
  mediaType?: string | undefined;
  filename?: string | undefined;
  providerOptions?: ModelProviderOptions | undefined;
}

/** The block of an image or file part; `undefined` when its data is of a kind that only the SDK knows. */
export function mediaBlock(kind: 'image' | 'file', part: MediaFields): ContentBlock | undefined {
  const source = blockSource(part.data);
  if (source === undefined) return undefined;
  const { mediaType, filename } = part;
  return {
    type: kind === 'image' ? 'image' : kindOf(mediaType),
    ...source,
    ...(mediaType === undefined ? {} : { mime_type: mediaType }),
    ...(filename === undefined ? {} : { filename }),
    ...optionsOf(part),
  };
}

function blockSource(data: unknown): Pick<MediaBlock, 'url' | 'base64' | 'file_id'> | undefined {
  if (isUrl(data)) return { url: data.href };
  if (typeof data === 'string') {
    // The SDK tells a URL by the same test.
    if (URL.canParse(data)) return { url: data };
    return /^(file|assistant)[-_]/.test(data) ? { file_id: data } : { base64: data };
  }
  const base64 = base64Of(data);
  if (base64 !== undefined) return { base64 };
  if (!isObject(data)) return undefined;
  if (data.type === 'data') return blockSource(data.data);
  return data.type === 'url' && isUrl(data.url) ? { url: data.url.href } : undefined;
}

function sourceOf(block: { base64?: unknown; url?: unknown; file_id?: unknown }): string | undefined {
  return [block.base64, block.url, block.file_id].find((source) => typeof source === 'string');
}

function filename(block: MediaBlock): { filename?: string } {
  return block.filename === undefined ? {} : { filename: block.filename };
}

function kindOf(mediaType: string | undefined): MediaBlock['type'] {
  const kind = mediaType?.split('/', 1)[0];
  return kind === 'image' || kind === 'audio' || kind === 'video' ? kind : 'file';
}

/** The first characters that files of a type have as base64. */
const SIGNATURES = {
  iVBORw0KGgo: 'image/png',
  '/9j/': 'image/jpeg',
  R0lGOD: 'image/gif',
  UklGR: 'image/webp',
};

function mediaTypeOf(block: MediaBlock): string {
  if (block.mime_type !== undefined) return block.mime_type;
  if (block.type === 'file') return 'application/octet-stream';
  if (block.type !== 'image') return `${block.type}/*`;
  const { base64 = '' } = block;
  return Object.entries(SIGNATURES).find(([start]) => base64.startsWith(start))?.[1] ?? 'image/*';
}
