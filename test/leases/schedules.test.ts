import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { JSONStore } from '../../src/json/store.ts';
import { withClock } from '../../src/model/clock.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import type { Engine } from '../../src/sql/engine.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import type { SqliteOptions } from '../../src/store/config.ts';
import { postgresClock } from '../support/postgres-clock.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { Machine, type ProcessClock } from './machine.ts';
import { type Process, play, type World } from './play.ts';
import { type Act, schedules } from './schedule.ts';

const PROCESSES = 3;

const database = postgresDatabase('postgres18');
const ends: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

/** The renewals of an engine go through here, and stay as long as it is closed. */
class Gate {
  #open: Promise<void> = Promise.resolve();
  #letThrough: () => void = () => undefined;

  hang(hangs: boolean): void {
    this.#letThrough();
    if (hangs) {
      this.#open = new Promise((resolve) => {
        this.#letThrough = resolve;
      });
    }
  }

  before(engine: Engine): Engine {
    const { driver } = engine.context;
    const urgent = driver.urgent.bind(driver);
    driver.urgent = async (...args) => {
      await this.#open;
      return urgent(...args);
    };
    return engine;
  }
}

class HangingSqliteStore extends SqliteStore {
  readonly gate = new Gate();

  protected override async connect(signal: AbortSignal): Promise<Engine> {
    return this.gate.before(await super.connect(signal));
  }
}

class HangingPostgresStore extends PostgresStore {
  readonly gate = new Gate();

  protected override async connect(signal: AbortSignal): Promise<Engine> {
    return this.gate.before(await super.connect(signal));
  }
}

function processOf(clock: ProcessClock, store: HangingSqliteStore | HangingPostgresStore): Process {
  ends.push(() => store.close());
  return { clock, store, hang: (hangs) => store.gate.hang(hangs) };
}

async function sqliteWorld(): Promise<World> {
  const directory = await makeTemporaryDirectory();
  ends.push(() => removeDirectory(directory));
  const path = join(directory, 'agents.db');
  const machine = new Machine();
  const processes = Array.from({ length: PROCESSES }, () => {
    const clock = machine.process();
    const options = withClock<SqliteOptions>(clock, { durability: 'normal' });
    return processOf(clock, new HangingSqliteStore(path, undefined, options));
  });
  return {
    machine,
    processes,
    // A clock that was set forward lets others in early, and who is told of it depends on who looks first.
    step: (_process, ms) => {
      machine.wall -= Math.abs(ms);
    },
    lock: () => {
      const other = new Database(path);
      other.exec('BEGIN IMMEDIATE');
      return () => other.close();
    },
  };
}

async function postgresWorld(): Promise<World> {
  const { url, client, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  ends.push(() => dropSchema(schema));
  const server = await postgresClock(client, schema);
  // The server's clock is its own.
  const machine = new Machine((passed) => server.pause(passed));
  const processes = Array.from({ length: PROCESSES }, () => {
    const clock = machine.process(server.postgresNow);
    const connection = { connectionString: url, max: 2 };
    return processOf(clock, new HangingPostgresStore(connection, undefined, withClock(clock, { schema })));
  });
  return {
    machine,
    processes,
    step: (process, ms) => {
      process.clock.offset += ms;
    },
  };
}

async function jsonWorld(): Promise<World> {
  const directory = await makeTemporaryDirectory();
  ends.push(() => removeDirectory(directory));
  const machine = new Machine();
  const clock = machine.process();
  const store = new JSONStore(join(directory, 'store'), withClock(clock, { durability: 'normal' as const }));
  ends.push(() => store.close());
  return {
    machine,
    processes: [{ clock, store }],
    step: (_process, ms) => {
      machine.wall += ms;
    },
  };
}

async function holds(world: World, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(schedules, (acts: Act[]) => play(world, acts)),
    { numRuns },
  );
}

it('L6 no schedule lets an old lease write, or keeps its holder from knowing (SQLite)', async () => {
  await holds(await sqliteWorld(), 60);
}, 90_000);

it('L6 no schedule lets an old lease write, or keeps its holder from knowing (JSON files)', async () => {
  await holds(await jsonWorld(), 40);
}, 90_000);

it('L6 no schedule lets an old lease write, or keeps its holder from knowing (PostgreSQL)', async () => {
  await holds(await postgresWorld(), 6);
}, 90_000);

it('finds a holder who isn’t told', async () => {
  const world = await sqliteWorld();
  const [first] = world.processes;
  if (!first) throw new Error('there is no process');
  const acts: Act[] = [
    { act: 'acquire', process: 0, agent: 0, ttlMs: 3_000, waitMs: 0 },
    { act: 'pause', process: 0 },
    { act: 'pass', ms: 3_000 },
    { act: 'acquire', process: 1, agent: 0, ttlMs: 3_000, waitMs: 0 },
  ];
  // A process whose clocks stand still.
  first.clock.now = () => 0;
  first.clock.monotonic = () => 0;
  await expect(play(world, acts)).rejects.toThrow("isn't over");
});
