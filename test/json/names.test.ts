import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeName, encodeName, isHashedName } from '../../src/json/paths.ts';
import { workspaces } from './helpers.ts';

const anyId = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter((id) => id.isWellFormed());

describe('folder names of agents', () => {
  it('hold nothing that a file system folds, forbids or cuts off', () => {
    fc.assert(
      fc.property(anyId, (id) => {
        expect(encodeName(id)).toMatch(/^[a-z0-9_%+-]{1,100}$/);
      }),
    );
  });

  it('tell the id, or are hashed', () => {
    fc.assert(
      fc.property(anyId, (id) => {
        const name = encodeName(id);
        expect(isHashedName(name) ? id : decodeName(name)).toBe(id);
      }),
    );
  });

  it('leave plain ids readable', () => {
    expect(encodeName('agt-01jd3w5c9w0k5h6gz2n8e4t7x1')).toBe('agt-01jd3w5c9w0k5h6gz2n8e4t7x1');
    expect(encodeName('user_7')).toBe('user_7');
  });

  it.each(['con', 'prn', 'aux', 'nul', 'com1', 'lpt9'])('are no device of Windows: %s', (id) => {
    expect(encodeName(id)).not.toBe(id);
    expect(decodeName(encodeName(id))).toBe(id);
  });

  it('of other programs mean no agent', () => {
    for (const name of ['.DS_Store', 'Thumbs.db', 'A', '%4', '%41x.', '%61', 'con', '%ff']) {
      expect(decodeName(name)).toBeUndefined();
    }
  });
});

describe('agents on disk', () => {
  const workspace = workspaces();

  it('whose ids differ only in case or normalisation are apart', async () => {
    const { open, reopen } = await workspace();
    const ids = [
      'agent',
      'Agent',
      'AGENT',
      '\u00e9',
      'e\u0301',
      'a.',
      'a',
      'a ',
      'nul',
      'NUL',
      'x'.repeat(255),
    ];
    ids.push(`${'x'.repeat(254)}X`);
    const store = open();
    for (const id of ids) await store.saveInfo(id, { metadata: { id } });
    const again = await reopen();
    expect((await again.list()).sort()).toEqual([...ids].sort());
    for (const id of ids) expect((await again.loadInfo(id))?.metadata).toEqual({ id });
    await again.delete('Agent');
    expect(await again.exists('agent')).toBe(true);
    expect(await again.list('x')).toHaveLength(2);
  });

  it('are listed though other programs leave files among them', async () => {
    const { root, open } = await workspace();
    const store = open();
    await store.saveInfo('a', {});
    await writeFile(join(root, 'agents', '.DS_Store'), 'x');
    expect(await store.list()).toEqual(['a']);
  });
});
