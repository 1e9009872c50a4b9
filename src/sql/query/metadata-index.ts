import { joinPath, MAX_METADATA_TEXT, type MetadataMatch } from '../../store/metadata-filter.ts';

/**
 * Projections of an agent's metadata, written beside its exact text and only ever used to find agents.
 * Metadata filters ask for scalars that are reached through objects: those are what is indexed. The
 * argument is metadata as it is stored, so parsed JSON.
 */

/** One row per scalar. */
export function metadataRows(metadata: Record<string, unknown>): { path: string; value: string }[] {
  const rows: { path: string; value: string }[] = [];
  const visit = (object: object, prefix: string) => {
    for (const [key, value] of Object.entries(object)) {
      const path = prefix + storable(joinPath([key]));
      // Filters for longer ones are refused, so nothing is missed silently.
      if (path.length > MAX_METADATA_TEXT) continue;
      if (typeof value === 'object' && value !== null) {
        if (!Array.isArray(value)) visit(value, `${path}.`);
        continue;
      }
      const text = JSON.stringify(value);
      if (text.length <= MAX_METADATA_TEXT) rows.push({ path, value: text });
    }
  };
  visit(metadata, '');
  return rows;
}

/** The row that a filter's path and value look for. */
export function metadataRow({ path, value }: MetadataMatch): { path: string; value: string } {
  return { path: joinPath(path), value: JSON.stringify(value) };
}

/** Text for JSONB can have some 256 MB: whatever is longer can't be filtered by, and fails no commit. */
const MAX_DOCUMENT = 60_000_000;

/** JSON text that JSONB takes, NUL and lone surrogates replaced by U+FFFD. */
export function metadataDocument(metadata: Record<string, unknown>): string {
  const text = JSON.stringify(metadata);
  if (text.length > MAX_DOCUMENT) return '{}';
  return text.includes('\\u') ? text.replace(ESCAPE, replaceRefused) : text;
}

/** What a document must contain to match, for JSONB's `@>`. */
export function metadataContained({ path, value }: MetadataMatch): string {
  return path.reduceRight<string>((inner, key) => `{${JSON.stringify(key)}:${inner}}`, JSON.stringify(value));
}

const ESCAPE = /\\(?:u[0-9a-fA-F]{4}|.)/g;
/** `JSON.stringify` escapes surrogates only where they are alone. */
const REFUSED = /^\\u(?:0000|d[89a-f])/i;

function replaceRefused(escaped: string): string {
  return REFUSED.test(escaped) ? '\ufffd' : escaped;
}

/** Text columns hold neither NUL nor lone surrogates: they are escaped, so that paths stay apart. */
function storable(path: string): string {
  if (path.isWellFormed() && !path.includes('\u0000')) return path;
  let escaped = '';
  for (const char of path) {
    const code = char.charCodeAt(0);
    const refused = char.length === 1 && (code === 0 || (code >= 0xd800 && code <= 0xdfff));
    escaped += refused ? `\\u${code.toString(16).padStart(4, '0')}` : char;
  }
  return escaped;
}
