import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { kode, spawnKode } from './kode.ts';

let folder = '';

beforeAll(async () => {
  folder = await makeTemporaryDirectory();
});
afterAll(() => removeDirectory(folder));

describe('wrong usage ends with 2 and one line', () => {
  it.each([
    ['an unknown command', ['sesions'], /unknown command 'sesions'/],
    ['an unknown flag', ['sessions', '--templateid', 'x'], /unknown option '--templateid'/],
    ['a missing file', ['import', '--format', 'openai-chat'], /missing required argument 'file'/],
    ['a missing format', ['import', 'file.json'], /required option '--format <format>' not specified/],
    [
      'another format',
      ['import', 'file.json', '--format', 'x'],
      /'x' is invalid\. Allowed choices are openai/,
    ],
    ['a limit of nothing', ['sessions', '--limit', '0'], /--limit .* must be a whole number, 1 to 10,000/],
    ['a limit beyond the limit', ['tools', '--limit', '10001'], /--limit .* whole number, 1 to 10,000/],
    ['an id with a slash', ['messages', 'a/b'], /agentId: must not contain slashes/],
    ['a path that is none', ['sessions', '--metadata', 'a..b=1'], /metadata/],
    ['a fraction', ['messages', '--offset', '1.5'], /--offset .* must be a whole number, 0 or more/],
    ['a negative number', ['messages', '--offset', '-1'], /--offset/],
    ['a status that is none', ['sessions', '--status', 'lost'], /--status .* Allowed choices are idle/],
    ['a state that is none', ['tools', '--state', 'COMPLETED'], /--state .* Allowed choices are pending/],
    ['a date that is none', ['stats', '--created-after', 'monday'], /--created-after .* ISO 8601/],
    [
      'a time without a zone',
      ['tools', '--created-before', '2025-01-01T00:00:00'],
      /--created-before .* zone/,
    ],
    ['metadata without a value', ['sessions', '--metadata', 'tier'], /--metadata .* key=value/],
    ['an empty template', ['sessions', '--template-id', ''], /--template-id .* must not be empty/],
    ['an agent and a filter', ['stats', 'a', '--user-id', 'b'], /an agent or flags that choose agents/],
    ['two databases', ['sessions', '--db', 'a', '--url', 'postgres://h/d'], /--db or --url, not both/],
    [
      'another kind of database',
      ['sessions', '--db', 'a', '--store', 'postgres'],
      /--db is for --store sqlite/,
    ],
    ['another kind of server', ['stats', '--url', 'postgres://h/d', '--store', 'sqlite'], /--url is for/],
    ['a schema of a file', ['sessions', '--db', 'a', '--schema', 'x'], /--schema is for --store postgres/],
    [
      'an empty schema',
      ['sessions', '--url', 'postgres://h/d', '--schema', ''],
      /--schema .* must not be empty/,
    ],
    ['an unknown kind of database', ['stats', '--store', 'mysql'], /--store .* sqlite, postgres/],
  ])('for %s', async (_, args, message) => {
    const { code, stdout, stderr } = await kode(args);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^error: [^\n]*\n$/);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('without a command, and shows the commands', async () => {
    const { code, stdout, stderr } = await spawnKode([], folder);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(await readdir(folder)).toEqual([]);
    for (const command of ['import', 'sessions', 'messages', 'tools', 'stats'])
      expect(stderr).toContain(command);
  });
});

describe('help', () => {
  it.each([
    ['import', ['--format', '--skip-invalid', '--template', '--prefix']],
    ['sessions', ['--template-id', '--user-id', '--status', '--metadata', '--sort-by', '--created-after']],
    ['messages', ['--role', '--content-type', '--created-before', '--limit', '--offset', '--order']],
    ['tools', ['--tool-name', '--state', '--error', '--no-error', '--approval', '--no-approval']],
    ['stats', ['--template-id', '--user-id', '--status', '--metadata', '--created-after']],
  ])('of %s names its flags and those that choose the database', async (command, flags) => {
    const { code, stdout, stderr } = await kode([command, '--help']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    for (const flag of [...flags, '--store', '--db', '--url', '--json']) expect(stdout).toContain(flag);
  });
});

describe('a failure ends with 1 and one line', () => {
  it.each([
    ['a file that is not there', ['import', 'none.json', '--format', 'openai-chat'], /no such file/],
    ['a prefix with a slash', ['import', 'none.json', '--format', 'openai-chat', '--prefix', 'a/'], /slash/],
    ['an agent that is not there', ['stats', 'nobody', '--db', 'agents.db'], /Agent "nobody" does not exist/],
    [
      'a server that is not there',
      ['sessions', '--url', 'postgres://kode:secret@127.0.0.1:1/kode_agents'],
      /refuses connections/,
    ],
  ])('for %s', async (_, args, message) => {
    const { code, stdout, stderr } = await spawnKode(args, folder);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^error: [^\n]*\n$/);
    expect(stderr).not.toContain('secret');
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });
});
