import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StoreConfigError } from '../errors.ts';

/** SQLite's name for a database that lives as long as the store. */
export const MEMORY = ':memory:';

/** Parameters of a `file:` URL that ask for what happens in any case. */
const HONOURED = new Map([
  ['mode', 'rwc'],
  ['cache', 'private'],
]);

const OTHER_URL = /^([a-z][a-z0-9+.-]+:\/\/|jdbc:|sqlite3?:)/i;
const SQLITE_URL = /^(jdbc:)?sqlite3?:\/*/i;

/** The place of a SQLite database: an absolute path, or `:memory:`. `name`: where the value was given. */
export function databasePath(given: unknown, name: string): string {
  const wanted = 'the path of the SQLite file, a file: URL, or ":memory:"';
  const text = checkedText(given, name, wanted);
  if (text === MEMORY) return MEMORY;
  if (/^(file:)?:memory:/i.test(text) || /^file:.*[?&]mode=memory\b/i.test(text)) {
    throw wrong(name, text, `A database in memory is written "${MEMORY}".`);
  }
  return absolute(text, name, wanted);
}

/**
 * A path that users give, as an absolute one: `~` is the home folder, and `file:` URLs name what they do in a
 * browser. What would be taken literally and was hardly meant so is refused, with the right form.
 */
export function givenPath(given: unknown, name: string): string {
  const wanted = 'a path or a file: URL';
  const text = checkedText(given, name, wanted);
  if (/^(file:)?:memory:/i.test(text)) throw wrong(name, text, `It must be ${wanted}.`);
  return absolute(text, name, wanted);
}

function checkedText(given: unknown, name: string, wanted: string): string {
  if (typeof given !== 'string' || given.trim() === '')
    throw new StoreConfigError(`${name} must be ${wanted}.`);
  if (given.includes('\0')) {
    throw wrong(name, given, 'It has a NUL character in it, which ends a path: leave it out.');
  }
  if (given.trim() !== given) {
    throw wrong(name, given, `It begins or ends with blanks: write ${JSON.stringify(given.trim())}.`);
  }
  const bare = given.replace(/^["']|["']$/g, '');
  if (bare !== given) {
    throw wrong(
      name,
      given,
      `It has quotes in it, which Windows' CMD leaves in a value: write ${JSON.stringify(bare)} without them.`,
    );
  }
  return given;
}

function absolute(text: string, name: string, wanted: string): string {
  if (/^file:/i.test(text)) return resolve(expanded(ofUrl(text, name), name));
  if (OTHER_URL.test(text)) throw wrong(name, text, `It must be ${wanted}${formOf(text)}.`);
  return resolve(expanded(text, name));
}

/** `sqlite:///x` is relative for some programs and absolute for others. */
function formOf(text: string): string {
  if (!SQLITE_URL.test(text)) return '';
  const path = text.replace(SQLITE_URL, '');
  if (path === '' || path === MEMORY) return `: write "${MEMORY}" for a database in memory`;
  return `: write "./${path}" for a file in the working directory, "/${path}" for an absolute path`;
}

/** The path that a `file:` URL names. Without slashes after the scheme it may be relative, as in SQLite's own. */
function ofUrl(text: string, name: string): string {
  const [, before = '', query, hash] = /^file:([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/i.exec(text) ?? [];
  if (hash !== undefined) throw wrong(name, text, 'A "#" in a file: URL begins a fragment: write %23.');
  if (query !== undefined) checkParameters(new URLSearchParams(query), name, text);
  if (before === '' || /^\/+$/.test(before)) throw wrong(name, text, 'Its path is missing.');
  try {
    if (before.startsWith('//')) return checkedText(fileURLToPath(`file:${before}`), name, 'a path');
    if (/%2f|%5c/i.test(before)) throw new TypeError('It must not include encoded slashes');
    return checkedText(decodeURIComponent(before), name, 'a path');
  } catch (cause) {
    if (cause instanceof StoreConfigError) throw cause;
    throw new StoreConfigError(
      `${name} is ${JSON.stringify(text)}, a file: URL that names no path here. Write file:///folder/file for an absolute path, file:./folder/file for one in the working directory, and %25 for a "%".`,
      { cause },
    );
  }
}

function checkParameters(parameters: URLSearchParams, name: string, text: string): void {
  for (const [key, value] of parameters) {
    if (HONOURED.get(key) !== value) {
      throw wrong(
        name,
        text,
        `The parameter ${key}=${value} isn't known here: leave it out, and use the options of the store.`,
      );
    }
  }
}

function expanded(path: string, name: string): string {
  if (!path.startsWith('~')) return path;
  if (path === '~') return homedir();
  if (path[1] === '/' || (process.platform === 'win32' && path[1] === '\\')) {
    return join(homedir(), path.slice(2));
  }
  throw wrong(
    name,
    path,
    `"~" is the home folder of the user that runs this process, as in "~/agents.db"; a name that begins with "~" is written "./${path}".`,
  );
}

function wrong(name: string, text: string, advice: string): StoreConfigError {
  return new StoreConfigError(`${name} is ${JSON.stringify(text)}. ${advice}`);
}
