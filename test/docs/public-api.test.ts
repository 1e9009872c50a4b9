import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type PublicType, readPublicApi } from '../support/public-api.ts';
import { root } from './samples.ts';

const types = readPublicApi(['index.ts', 'testing/index.ts']);
const exported = types.filter(({ entries }) => entries.length > 0);
const reference = ['api.md', 'agent.md']
  .map((name) => readFileSync(join(root, 'docs', 'reference', name), 'utf8'))
  .join('\n');

/** What has a name in the reference: as a word of its own. */
function isNamed(name: string): boolean {
  const escaped = name.replace(/^\[(.*)\]$/, '$1').replaceAll('.', '\\.');
  return new RegExp(`(?<!\\w)${escaped}(?!\\w)`).test(reference);
}

function membersOf(
  { name, members }: PublicType,
  missing: (member: PublicType['members'][number]) => boolean,
) {
  return members.filter(missing).map((member) => `${name}.${member.name}`);
}

describe('reading the public names', () => {
  it('finds types, members, what they inherit from and what they lead to', () => {
    const names = new Map(types.map((type) => [type.name, type]));
    expect(names.get('TurnCommit')?.members.map(({ name }) => name)).toContain('operationId');
    expect(names.get('Agent')?.members.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['create', 'agentId', 'stream', '[Symbol.asyncDispose]']),
    );
    expect(names.get('Agent')?.members.map(({ name }) => name)).not.toContain('#parts');
    expect(names.get('StatsFilter')?.entries).toEqual(['index.ts']);
    expect(names.get('CreatedRange')?.entries).toEqual([]);
    expect(names.get('MovableClock')?.entries).toEqual(['testing/index.ts']);
  });
});

describe('every public name', () => {
  it('has a docstring', () => {
    expect(types.filter(({ documented }) => !documented).map(({ file, name }) => `${file}: ${name}`)).toEqual(
      [],
    );
  });

  it('has members that have a docstring each', () => {
    expect(types.flatMap((type) => membersOf(type, ({ documented }) => !documented))).toEqual([]);
  });

  it('is told of in the references', () => {
    expect(exported.map(({ name }) => name).filter((name) => !isNamed(name))).toEqual([]);
  });

  it('has members that the references tell of', () => {
    expect(exported.flatMap((type) => membersOf(type, ({ name }) => !isNamed(name)))).toEqual([]);
  });
});
