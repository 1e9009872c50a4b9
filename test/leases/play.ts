import assert from 'node:assert/strict';
import { LeaseNotHeldError } from '../../src/errors.ts';
import type { AgentLease, Store } from '../../src/store/store.ts';
import { user } from '../../src/testing/samples.ts';
import { type Machine, type ProcessClock, turns } from './machine.ts';
import type { Act } from './schedule.ts';

/** A process of the machine, with its store. */
export interface Process {
  readonly clock: ProcessClock;
  readonly store: Store;
  /** Has its renewals wait until they are let through. */
  hang?(hangs: boolean): void;
}

export interface World {
  readonly machine: Machine;
  readonly processes: readonly Process[];
  /** Sets wall clocks. Without it, nobody does. */
  step?(process: Process, ms: number): void;
  /** Another program takes the database for itself; gives back how it lets go. */
  lock?(): () => void;
}

let plays = 0;

/** Plays a schedule with new agents, and looks after each act at what must hold. */
export async function play(world: World, acts: readonly Act[]): Promise<void> {
  plays += 1;
  const run = new Run(world, [`${plays}-a`, `${plays}-b`]);
  await run.begin();
  try {
    for (const act of acts) {
      await run.act(act);
      run.check();
    }
  } finally {
    await run.calmDown();
  }
  run.check();
  await run.checkStored();
}

class Run {
  readonly #world: World;
  readonly #agents: readonly string[];
  readonly #granted: { lease: AgentLease; process: Process }[] = [];
  /** Calls that end without time passing. */
  #short: Promise<unknown>[] = [];
  /** Calls that wait for a lease. */
  readonly #waiting: Promise<unknown>[] = [];
  #unlock: (() => void) | undefined;
  readonly #hanging = new Set<Process>();

  constructor(world: World, agents: readonly string[]) {
    this.#world = world;
    this.#agents = agents;
  }

  async begin(): Promise<void> {
    const [first] = this.#world.processes;
    for (const id of this.#agents) await first?.store.saveInfo(id, {});
  }

  async act(act: Act): Promise<void> {
    const { machine, processes } = this.#world;
    const process = 'process' in act ? chosen(processes, act.process) : undefined;
    switch (act.act) {
      case 'acquire':
        if (process) this.#acquire(process, chosen(this.#agents, act.agent), act);
        break;
      case 'release':
      case 'commit':
        if (this.#granted.length > 0) this.#use(act.act, chosen(this.#granted, act.lease));
        break;
      case 'pass':
        await machine.pass(act.ms);
        break;
      case 'pause':
        if (process) process.clock.standsStill = !process.clock.standsStill;
        break;
      case 'hang':
        if (process?.hang) this.#hang(process, !this.#hanging.has(process));
        break;
      case 'step':
        if (process) this.#world.step?.(process, act.ms);
        break;
      case 'lock':
        if (this.#unlock) this.#letGo();
        else this.#lock();
    }
    await this.#settle();
  }

  /** Whoever's lease isn't the newest one of its agent knows that it is over. */
  check(): void {
    for (const agentId of this.#agents) {
      const leases = this.#granted.map(({ lease }) => lease).filter((lease) => lease.agentId === agentId);
      const newest = Math.max(0, ...leases.map(({ token }) => token));
      for (const { token, signal } of leases) {
        assert.ok(token === newest || signal.aborted, `lease ${token} of ${newest} on ${agentId} isn't over`);
      }
    }
  }

  /** Each lease's messages come after those of the leases before it. */
  async checkStored(): Promise<void> {
    const [first] = this.#world.processes;
    for (const agentId of this.#agents) {
      const messages = (await first?.store.loadMessages(agentId)) ?? [];
      const tokens = messages.map(({ content }) => Number((content[0] as { text: string }).text));
      assert.deepEqual(
        tokens,
        [...tokens].sort((a, b) => a - b),
        agentId,
      );
    }
  }

  /** Everything comes to an end. */
  async calmDown(): Promise<void> {
    this.#letGo();
    for (const process of this.#world.processes) {
      process.clock.standsStill = false;
      this.#hang(process, false);
    }
    await this.#settle();
    for (let left = 50; left > 0 && this.#waiting.length > 0; left -= 1) {
      await this.#world.machine.pass(1_000);
      await this.#settle();
    }
    await Promise.all(this.#granted.map(({ lease }) => lease.release()));
    await Promise.all(this.#waiting);
  }

  #acquire(process: Process, agentId: string, options: { ttlMs: number; waitMs: number }): void {
    const { ttlMs, waitMs } = options;
    const call = process.store.acquireAgentLock(agentId, { ttlMs, waitMs }).then(
      (lease) => {
        this.#granted.push({ lease, process });
        this.check();
      },
      (error: { code?: string }) => assert.equal(error.code, 'LOCK_TIMEOUT'),
    );
    if (waitMs === 0) {
      this.#expect(call);
      return;
    }
    const done = call.finally(() => this.#waiting.splice(this.#waiting.indexOf(done), 1));
    done.catch(() => undefined);
    this.#waiting.push(done);
  }

  #use(how: 'release' | 'commit', { lease, process }: { lease: AgentLease; process: Process }): void {
    if (how === 'release') {
      this.#expect(lease.release());
      return;
    }
    const isOver = this.#granted.some(
      ({ lease: other }) => other.agentId === lease.agentId && other.token > lease.token,
    );
    const write = process.store.appendMessages(lease.agentId, [user(String(lease.token))], { lease });
    this.#expect(
      write.then(
        () => assert.ok(!isOver, `lease ${lease.token} wrote after a newer one was granted`),
        (error) => assert.ok(error instanceof LeaseNotHeldError, String(error)),
      ),
    );
  }

  #hang(process: Process, hangs: boolean): void {
    if (hangs) this.#hanging.add(process);
    else this.#hanging.delete(process);
    process.hang?.(hangs);
    this.#noteHanging();
  }

  #lock(): void {
    this.#unlock = this.#world.lock?.();
    this.#noteHanging();
  }

  #letGo(): void {
    this.#unlock?.();
    this.#unlock = undefined;
    this.#noteHanging();
  }

  /** Nobody waits for what comes to no end by itself. */
  #noteHanging(): void {
    for (const process of this.#world.processes) {
      process.clock.hangs = this.#unlock !== undefined || this.#hanging.has(process);
    }
  }

  /** Its failure is told by whoever awaits it, however late that is. */
  #expect(call: Promise<unknown>): void {
    call.catch(() => undefined);
    this.#short.push(call);
  }

  async #settle(): Promise<void> {
    await turns();
    if (this.#unlock) return;
    const short = this.#short;
    this.#short = [];
    await Promise.all(short);
  }
}

function chosen<T>(all: readonly T[], n: number): T {
  const one = all[n % all.length];
  if (one === undefined) throw new RangeError('there is nothing to choose from');
  return one;
}
