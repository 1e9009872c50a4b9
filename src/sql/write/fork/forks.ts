import { AgentExistsError } from '../../../errors.ts';
import { assertRoomForWrite } from '../../../store/queues.ts';
import { unlessAborted } from '../../../store/unless-aborted.ts';
import type { SqlContext } from '../../context.ts';
import { type Driver, UniqueViolation } from '../../port/driver.ts';
import type { Committer } from '../committer.ts';
import { gaveUp, isLost } from '../lost-wait.ts';
import type { ForkTarget } from './fork-rows.ts';
import { forkAgent } from './locked-fork.ts';
import { forkQuickly } from './optimistic-fork.ts';

type Position = string | number | undefined;

/** A call that waits for its forks. */
interface Request {
  at: Position;
  agentIds: string[];
  /** Many forks may take long: there is no time limit for them. */
  signal: AbortSignal | undefined;
  /** Its turn has come, or will never come. */
  begun(): void;
  resolve(agentIds: string[]): void;
  reject(error: unknown): void;
}

/** Calls that will have one turn of their source. */
interface Group {
  requests: Request[];
  /** The source's turn as it was promised; other writes that come later have theirs after it. */
  turn: Promise<unknown> | undefined;
}

/** Of a source: its forks, some after the others. */
interface Turn {
  readonly sourceId: string;
  readonly since: number;
  /** What some of them failed with after a wait in vain: those that are left don't wait as long each. */
  lost: unknown;
}

/** More new agents than this don't make each of them cheaper, and they hold up the source's commits. */
export const MAX_TOGETHER = 256;

/**
 * Forks of one source that are asked for at the same time are made together: those that come while another
 * write to the source is under way wait for its turn anyway.
 */
export class Forks {
  readonly #context: SqlContext;
  readonly #committer: Committer;
  /** By source: those whose turn hasn't come. */
  readonly #waiting = new Map<string, Group>();

  constructor(context: SqlContext, committer: Committer) {
    this.#context = context;
    this.#committer = committer;
  }

  /** New agents of these ids, all or none of them. */
  async create(sourceId: string, at: Position, agentIds: string[], signal?: AbortSignal): Promise<string[]> {
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      // Until its turn comes nothing of it is sent, and the signal has the last word.
      const abort = () => reject(signal?.reason);
      const begun = () => signal?.removeEventListener('abort', abort);
      signal?.addEventListener('abort', abort);
      this.#ask(sourceId, { at, agentIds, signal, begun, resolve, reject });
    });
  }

  #ask(sourceId: string, request: Request): void {
    const waiting = this.#waiting.get(sourceId);
    // A write that was asked for in between is to be in the fork.
    if (waiting && waiting.turn === this.#committer.lastTurn(sourceId)) {
      assertRoomForWrite(sourceId, waiting.requests.length);
      waiting.requests.push(request);
      return;
    }
    const group: Group = { requests: [request], turn: undefined };
    this.#waiting.set(sourceId, group);
    const begin = () => {
      if (this.#waiting.get(sourceId) === group) this.#waiting.delete(sourceId);
    };
    const forked = this.#committer.exclusively(sourceId, () => {
      begin();
      return this.#forkAll(sourceId, group.requests);
    });
    // They settle their requests themselves, unless they get no turn.
    forked.catch((error: unknown) => {
      begin();
      for (const request of group.requests) {
        request.begun();
        request.reject(error);
      }
    });
    group.turn = this.#committer.lastTurn(sourceId);
  }

  /** Settles every request. Fails itself where the database was waited for in vain: whoever is next is to know. */
  async #forkAll(sourceId: string, requests: readonly Request[]): Promise<void> {
    const turn: Turn = { sourceId, since: performance.now(), lost: undefined };
    for (const [at, alike] of byPosition(requests)) {
      for (const some of portions(alike)) await this.#forkTogether(turn, at, some);
    }
    if (turn.lost !== undefined) throw turn.lost;
  }

  async #forkTogether(turn: Turn, at: Position, requests: readonly Request[]): Promise<void> {
    const { sourceId } = turn;
    for (const request of requests) request.begun();
    const start = performance.now();
    if (turn.lost !== undefined) {
      for (const { reject } of requests) reject(gaveUp(sourceId, turn.lost, start - turn.since));
      return;
    }
    try {
      // What a signal ends is a portion of its own.
      const [signal] = requests.map((request) => request.signal);
      signal?.throwIfAborted();
      const ids = requests.flatMap(({ agentIds }) => agentIds);
      await this.#fork(this.#driverFor(requests), sourceId, at, ids, signal);
      for (const { agentIds, resolve } of requests) resolve(agentIds);
    } catch (error) {
      const taken = error instanceof UniqueViolation && error.table === 'directory';
      if (taken && requests.length > 1) {
        // Somebody's id is taken, which is nobody else's failure: nothing was written, so half by half.
        const half = Math.ceil(requests.length / 2);
        await this.#forkTogether(turn, at, requests.slice(0, half));
        await this.#forkTogether(turn, at, requests.slice(half));
        return;
      }
      if (isLost(error, performance.now() - start)) turn.lost = error;
      for (const { agentIds, reject } of requests) {
        reject(taken ? new AgentExistsError(agentIds[0] ?? '') : error);
      }
    }
  }

  /** So many forks that they are a request of their own may take long. */
  #driverFor([request, ...others]: readonly Request[]): Driver {
    const { driver } = this.#context;
    if (!request || others.length > 0) return driver;
    const { signal, agentIds } = request;
    return signal || agentIds.length > MAX_TOGETHER ? driver.bounded({ until: signal }) : driver;
  }

  /** Reserves keys for the new agents, and forks them in one batch or, where that can't be, one transaction. */
  async #fork(
    driver: Driver,
    sourceId: string,
    at: Position,
    agentIds: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { directory } = this.#context;
    const newKeys = await unlessAborted(directory.newKeys(2 * agentIds.length), signal);
    const targets = agentIds.map((agentId, i): ForkTarget => {
      const [agent = 0, branch = 0] = newKeys.slice(2 * i);
      return { agentId, agent, branch };
    });
    const work = { context: { directory, driver }, committer: this.#committer };
    let tree = await forkQuickly(work, sourceId, at, targets);
    if (tree === undefined) {
      this.#committer.forget(sourceId);
      tree = await directory.resolve(sourceId, async (keys) => {
        const forked = await driver.transact(() => forkAgent(sourceId, keys, at, targets, driver.time.now()));
        return forked ? keys.tree : undefined;
      });
    }
    for (const { agentId, agent } of targets) directory.remember(agentId, { tree, agent });
  }
}

function byPosition(requests: readonly Request[]): Map<Position, Request[]> {
  const groups = new Map<Position, Request[]>();
  for (const request of requests) {
    const alike = groups.get(request.at);
    if (alike) alike.push(request);
    else groups.set(request.at, [request]);
  }
  return groups;
}

function portions(requests: readonly Request[]): Request[][] {
  const all: Request[][] = [];
  let room = 0;
  for (const request of requests) {
    const portion = all.at(-1);
    const size = request.agentIds.length;
    // What a signal ends is nobody else's.
    if (portion && size <= room && !request.signal && !portion[0]?.signal) {
      portion.push(request);
      room -= size;
    } else {
      all.push([request]);
      room = MAX_TOGETHER - size;
    }
  }
  return all;
}
