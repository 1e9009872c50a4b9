import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AgentNotFoundError, ValidationError } from '../../src/errors.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { BROKEN_TEXTS, fillForChecks, TAMPERINGS } from '../support/tampering.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

let directory: string;
let sound: string;
let copies = 0;
let store: SqliteStore | undefined;

beforeAll(async () => {
  directory = await makeTemporaryDirectory();
  sound = join(directory, 'sound.db');
  const filled = new SqliteStore(sound);
  await fillForChecks(filled);
  await filled.close();
});

afterAll(() => removeDirectory(directory));

afterEach(async () => {
  await store?.close();
  store = undefined;
});

/** A store on a copy of the sound database, changed behind its back. */
async function tamperedWith(sql: string): Promise<SqliteStore> {
  copies += 1;
  const path = join(directory, `${copies}.db`);
  await copyFile(sound, path);
  const db = new Database(path);
  db.pragma('foreign_keys = OFF');
  db.exec(sql);
  db.close();
  store = new SqliteStore(path);
  return store;
}

describe('the check of a SQLite database', () => {
  it('finds nothing in a sound one', async () => {
    const checked = await tamperedWith('');
    expect((await checked.checkConsistency()).issues).toEqual([]);
    for (const id of await checked.list()) {
      const report = await checked.checkConsistency(id);
      expect(report).toMatchObject({ consistent: true, issues: [] });
      expect(Date.now() - report.checkedAt.getTime()).toBeLessThan(60_000);
    }
    await expect(checked.checkConsistency('nobody')).rejects.toBeInstanceOf(AgentNotFoundError);
    await expect(checked.checkConsistency('d')).rejects.toBeInstanceOf(AgentNotFoundError);
  });

  it.each(TAMPERINGS)('finds $what ($rule)', async ({ rule, sql, agent }) => {
    const checked = await tamperedWith(sql);
    const report = await checked.checkConsistency();
    expect(report.consistent).toBe(false);
    expect(report.issues.map((issue) => issue.rule)).toContain(rule);
    for (const { detail } of report.issues) expect(detail).not.toMatch(/undefined|NaN|\[object/);
    if (agent === undefined) return;
    const own = (await checked.checkConsistency(agent)).issues;
    expect(own.map((issue) => issue.rule)).toContain(rule);
    for (const issue of own) expect(issue.agentId).toBe(agent);
  });

  it.each(BROKEN_TEXTS)('H1 finds $what where texts are read', async ({ sql, agent, rule }) => {
    const checked = await tamperedWith(sql);
    const { issues } = await checked.checkConsistency(agent);
    expect(issues.map((issue) => issue.rule)).toEqual([rule]);
    // The quick check of everything reads no payloads: it would take as long as the database is large.
    expect((await checked.checkConsistency()).issues).toEqual([]);
    expect((await checked.checkConsistency({ agentId: agent, level: 'quick' })).issues).toEqual([]);
    const all = await checked.checkConsistency({ level: 'full' });
    expect(all.issues.map((issue) => issue.agentId)).toContain(agent);
    for (const issue of all.issues) {
      expect(issue).toMatchObject({ rule, detail: expect.stringMatching(/ of \w+ \(tree \d+, /) });
    }
  });

  it('H1 tells how far it is, and can be aborted', async () => {
    const checked = await tamperedWith('');
    const parts: string[] = [];
    const { issues } = await checked.checkConsistency({
      level: 'full',
      onProgress: ({ part, done }) => {
        expect(done).toBeGreaterThanOrEqual(0);
        if (parts.at(-1) !== part) parts.push(part);
      },
    });
    expect(issues).toEqual([]);
    expect(parts).toEqual(['database', 'rules', 'payloads']);
    for (const at of parts) {
      const stop = new AbortController();
      const checking = checked.checkConsistency({
        level: 'full',
        signal: stop.signal,
        onProgress: ({ part }) => {
          if (part === at) stop.abort(new Error(`enough at ${at}`));
        },
      });
      await expect(checking).rejects.toThrow(`enough at ${at}`);
    }
    await expect(
      checked.checkConsistency({ signal: AbortSignal.abort(new Error('before')) }),
    ).rejects.toThrow('before');
    expect((await checked.checkConsistency()).consistent).toBe(true);
  });

  it.each([
    [{ level: 'deep' }, /level/],
    [{ signal: 1 }, /signal/],
    [{ onProgress: 1 }, /onProgress/],
    [{ agent: 'a' }, /agent/],
    [null, /options/],
    [5, /options/],
  ])('H1 refuses %j', async (options, named) => {
    const checked = await tamperedWith('');
    const error = await checked.checkConsistency(options as never).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ValidationError);
    expect((error as Error).message).toMatch(named);
  });

  it('says of which agents it speaks, and does not go on for ever', async () => {
    const checked = await tamperedWith(
      `UPDATE kode_data_heads SET usage_count = 7, cursor = 9, message_count = 99`,
    );
    const { issues } = await checked.checkConsistency();
    expect(new Set(issues.map((issue) => issue.agentId))).toEqual(new Set(['a', 'b', 'e']));
    await checked.close();
    const flooded = await tamperedWith(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
       INSERT INTO kode_data_directory (agent_id, tree, agent) SELECT 'ghost' || i, -i, -i FROM n`,
    );
    const many = await flooded.checkConsistency();
    expect(many.issues.length).toBeLessThanOrEqual(1_001);
    expect(many.issues.at(-1)?.rule).toBe('too-many-issues');
  });

  it('looks at every page of many agents', async () => {
    const checked = await tamperedWith('');
    const ids = Array.from({ length: 250 }, (_, n) => `many-${String(n).padStart(3, '0')}`);
    await Promise.all(
      ids.map((id) => checked.commit(id, { info: {}, expectedVersion: 0, usage: [{ model: 'm' }] })),
    );
    expect((await checked.checkConsistency()).issues).toEqual([]);
    await checked.close();
    const db = new Database(join(directory, `${copies}.db`));
    db.exec(`DELETE FROM kode_data_usage WHERE agent IN (
      SELECT agent FROM kode_data_directory WHERE agent_id IN ('many-000', 'many-099', 'many-100', 'many-249'))`);
    db.close();
    store = new SqliteStore(join(directory, `${copies}.db`));
    const { issues } = await store.checkConsistency();
    expect(issues.map((issue) => issue.agentId).sort()).toEqual([
      'many-000',
      'many-099',
      'many-100',
      'many-249',
    ]);
  });
});
