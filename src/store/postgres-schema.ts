import { StoreConfigError } from '../errors.ts';

export const MAX_SCHEMA_BYTES = 63;
/** How other libraries call it in a URL. */
const URL_PARAMETERS = ['schema', 'currentSchema', 'search_path'] as const;
const REMEDY = 'Name it once, as the option "schema" of the store, or as ?schema=… of the URL.';

/** Of a connection, or of a pool: what may name a schema. */
export interface SchemaSource {
  connectionString?: unknown;
  options?: unknown;
}

/** A name that PostgreSQL takes for a schema of ours. */
export function checkSchema(name: string, schema: unknown): string {
  if (
    typeof schema !== 'string' ||
    schema === '' ||
    Buffer.byteLength(schema) > MAX_SCHEMA_BYTES ||
    schema.includes('\0')
  ) {
    throw new StoreConfigError(`${name} must be a name of 1 to ${MAX_SCHEMA_BYTES} bytes.`);
  }
  if (schema.startsWith('pg_') || schema === 'information_schema') {
    throw new StoreConfigError(
      `${name} is "${schema}", and PostgreSQL keeps such schemas, "information_schema" and all that begin with "pg_", for itself. Choose another name.`,
    );
  }
  return schema;
}

/**
 * The schema of a store: what is given, else what the connection names. What the connection says is never
 * ignored: the tables would land elsewhere, and an empty store would be taken for the one that was meant.
 * `pgOptions`: the variable PGOPTIONS, which `pg` reads.
 */
export function resolveSchema(
  given: string | undefined,
  source: SchemaSource,
  pgOptions: string | undefined,
): string | undefined {
  const inUrl = urlSchemas(source.connectionString);
  if (given === undefined) return only(inUrl) ?? only(searchPathOf(source, pgOptions));
  // A search path among the session's options is for other code on the connection.
  if (inUrl && !inUrl.names.includes(given)) {
    throw new StoreConfigError(
      `The store's schema is "${given}", and the connection URL says ${inUrl.said}. ${REMEDY}`,
    );
  }
  return given;
}

interface Named {
  readonly names: readonly string[];
  readonly said: string;
}

function only(named: Named | undefined): string | undefined {
  if (!named) return undefined;
  const [name, ...others] = named.names;
  if (name === undefined || others.length > 0 || name === '$user') {
    throw new StoreConfigError(
      `The connection says ${named.said}, and the store needs one schema. ${REMEDY}`,
    );
  }
  return checkSchema(`The schema of the connection (${named.said})`, name);
}

function urlSchemas(url: unknown): Named | undefined {
  const parameters = parametersOf(url);
  let found: Named | undefined;
  for (const parameter of URL_PARAMETERS) {
    for (const value of parameters?.getAll(parameter) ?? []) {
      const said = `?${parameter}=${value}`;
      const names = parameter === 'schema' ? [value] : splitSearchPath(value);
      if (found && found.names.join() !== names.join()) {
        throw new StoreConfigError(`The connection URL says ${found.said} and ${said}. ${REMEDY}`);
      }
      found = { names, said };
    }
  }
  return found;
}

/** Of the options that a session begins with: `-c search_path=agents`. */
function searchPathOf(
  { connectionString, options }: SchemaSource,
  pgOptions: string | undefined,
): Named | undefined {
  const text = parametersOf(connectionString)?.get('options') ?? options ?? pgOptions;
  if (typeof text !== 'string') return undefined;
  // A backslash keeps a blank together with what is before it.
  const words = text.match(/(?:\\.|\S)+/gs)?.map((word) => word.replace(/\\(.)/gs, '$1')) ?? [];
  let value: string | undefined;
  for (const [i, word] of words.entries()) {
    const setting = words[i - 1] === '-c' ? word : /^(?:-c|--)(.+)$/s.exec(word)?.[1];
    const match = /^search[-_]path=(.*)$/is.exec(setting ?? '');
    if (match) value = match[1];
  }
  return value === undefined
    ? undefined
    : { names: splitSearchPath(value), said: `search_path=${value} in its options` };
}

function parametersOf(url: unknown): URLSearchParams | undefined {
  // A URL that can't be read is refused when the store connects; a query can be read in any case.
  const query = typeof url === 'string' ? /\?([^#]*)/.exec(url)?.[1] : undefined;
  return query === undefined ? undefined : new URLSearchParams(query);
}

/** As PostgreSQL reads it: names are folded to small letters unless they are quoted. */
function splitSearchPath(text: string): string[] {
  const parts = text.match(/"(?:[^"]|"")*"|[^,\s"]+/g) ?? [];
  return parts.map((part) =>
    part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part.toLowerCase(),
  );
}
