import { AgentNotFoundError, StoreUnavailableError } from '../errors.ts';
import { assertRoomForWrite } from '../store/queues.ts';
import type { AgentFiles, NewAgent, OpenAgent } from './agent-files.ts';
import { apply } from './apply.ts';
import { type Entry, encodeEntry } from './entry.ts';
import { eventBytes } from './load.ts';
import type { Planned } from './plan-commit.ts';
import type { AgentState } from './state.ts';

/** Writing a log anew costs as much as reading it: less garbage than this isn't worth it. */
const MIN_GARBAGE = 16 << 10;

/** What is written at once is kept to about this size: the ones behind it wait for it. */
export const MAX_BATCH_BYTES = 8 << 20;

interface Write {
  kind: 'write';
  plan(state: AgentState): Planned<unknown>;
  create: (() => Planned<unknown> & { agent: NewAgent }) | undefined;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

interface Work {
  kind: 'work';
  run(): Promise<void>;
}

/**
 * One agent: everything that is done with it, in the order in which it was asked for. Writes that wait
 * together are written together, with one wait for the disk; what reads sees nothing that isn't stored.
 */
export class AgentCell {
  readonly agentId: string;
  readonly #files: AgentFiles;
  readonly #onIdle: (cell: AgentCell) => void;
  readonly #tasks: (Write | Work)[] = [];
  #open: OpenAgent | undefined;
  #draining = false;
  /** What writing the log anew couldn't free. */
  #garbageLeft = 0;
  #retired = false;
  /** Where the log's good part ends, while something that was refused may be behind it. */
  #end: number | undefined;

  constructor(agentId: string, files: AgentFiles, onIdle: (cell: AgentCell) => void) {
    this.agentId = agentId;
    this.#files = files;
    this.#onIdle = onIdle;
  }

  /** Something is under way. */
  get busy(): boolean {
    return this.#draining;
  }

  /** Nothing is under way, and nothing of it is left to be taken back. */
  get idle(): boolean {
    if (this.#draining) return false;
    return this.#open ? !this.#open.log.refused : this.#end === undefined;
  }

  /** The agent, if it is in memory. */
  get inMemory(): OpenAgent | undefined {
    return this.#open;
  }

  /** So much of the log was overwritten that writing it anew pays. */
  get isWasteful(): boolean {
    // What is only read stays as it is.
    if (!this.#open?.writable) return false;
    const { state, log } = this.#open;
    return state.garbage >= Math.max(MIN_GARBAGE, log.size / 2, 2 * this.#garbageLeft);
  }

  /** Frees what was overwritten, if it is much. */
  compact(): Promise<void> {
    return this.work(async (agent) => {
      if (!agent || !this.isWasteful) return;
      try {
        await this.#files.compact(agent);
        this.#garbageLeft = agent.state.garbage;
      } catch (error) {
        await this.unload().catch(() => undefined);
        throw error;
      }
    });
  }

  /** A change of state. `create` is asked instead where there is no such agent. */
  write<T>(
    plan: (state: AgentState) => Planned<T>,
    create?: () => Planned<T> & { agent: NewAgent },
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#add({ kind: 'write', plan, create, resolve: (result) => resolve(result as T), reject });
    });
  }

  /** Anything else, alone. */
  alone<T>(run: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const work = async () => resolve(await run());
      this.#add({ kind: 'work', run: () => work().catch(reject) });
    });
  }

  /** The same with the agent, or with undefined where there is none. */
  work<T>(run: (agent: OpenAgent | undefined) => Promise<T> | T): Promise<T> {
    return this.alone(async () => run(await this.#load()));
  }

  /** The same for an agent that must exist, and is about to be written to. */
  change<T>(run: (agent: OpenAgent) => Promise<T> | T): Promise<T> {
    return this.use(async (agent) => {
      await this.#files.makeWritable(agent);
      return run(agent);
    });
  }

  /** The same for one that is read. */
  use<T>(run: (agent: OpenAgent) => Promise<T> | T): Promise<T> {
    return this.work((agent) => {
      if (!agent) throw new AgentNotFoundError(this.agentId);
      return run(agent);
    });
  }

  /** Only within `work`: creates the agent. */
  async create(agent: NewAgent): Promise<void> {
    this.#open = await this.#files.create(agent);
  }

  /** Only within `change`: writes these entries, which are planned on the agent's state. */
  async append(agent: OpenAgent, entries: readonly Entry[]): Promise<void> {
    try {
      for (const entry of entries) apply(agent.state, entry, this.#files.clock.now());
      await this.#write(agent, entries.map(encodeEntry), entries);
    } catch (error) {
      await this.unload().catch(() => undefined);
      throw error;
    }
  }

  /** When nothing is under way: another cell may stand for the agent from now on, and two must never. */
  async retire(): Promise<void> {
    this.#retired = true;
    try {
      if (this.#end !== undefined) await (await this.#load().catch(() => undefined))?.log.settle();
    } finally {
      await this.unload();
    }
  }

  /** Only within `work`: forgets what is in memory. */
  async unload(): Promise<void> {
    const open = this.#open;
    if (!open) return;
    this.#open = undefined;
    this.#end = open.log.refused ? open.log.size : undefined;
    await open.log.close();
  }

  #add(task: Write | Work): void {
    if (this.#retired) throw new RangeError(`the cell of agent "${this.agentId}" is in use no more`);
    assertRoomForWrite(this.agentId, this.#tasks.length);
    this.#tasks.push(task);
    if (this.#draining) return;
    this.#draining = true;
    void this.#drain();
  }

  async #drain(): Promise<void> {
    // Callers that write in a loop get to their next call first.
    await Promise.resolve();
    for (;;) {
      const task = this.#tasks[0];
      if (!task) break;
      if (task.kind === 'work') {
        this.#tasks.shift();
        await task.run();
      } else {
        await this.#writeWaiting();
      }
    }
    this.#draining = false;
    this.#onIdle(this);
  }

  async #load(): Promise<OpenAgent | undefined> {
    // What is in memory is what is stored only while nobody else can write here.
    await this.#files.disk.check();
    // Another process may write to what this one only reads.
    if (this.#open && !(await this.#files.isCurrent(this.#open))) await this.unload();
    this.#open ??= await this.#files.open(this.agentId, this.#end);
    // What was refused goes as soon as the disk lets it: after a crash it would count.
    await this.#open?.log.settle().catch(() => undefined);
    return this.#open;
  }

  async #loadToWrite(): Promise<OpenAgent | undefined> {
    const agent = await this.#load();
    if (agent) await this.#files.makeWritable(agent);
    return agent;
  }

  /** The writes at the head of the queue, as many as go into one line. */
  async #writeWaiting(): Promise<void> {
    let agent: OpenAgent | undefined;
    try {
      agent = await this.#loadToWrite();
    } catch (error) {
      this.#nextWrite()?.reject(error);
      return;
    }
    if (agent) await this.#writeBatch(agent, () => this.#nextWrite());
    else await this.#createFirst();
  }

  async #createFirst(): Promise<void> {
    const write = this.#nextWrite();
    if (!write) return;
    try {
      if (!write.create) throw new AgentNotFoundError(this.agentId);
      const { agent, result } = write.create();
      await this.create(agent);
      write.resolve(result);
    } catch (error) {
      write.reject(error);
    }
  }

  async #writeBatch(agent: OpenAgent, next: () => Write | undefined): Promise<void> {
    const planned: { write: Write; result: unknown }[] = [];
    const entries: Entry[] = [];
    const texts: string[] = [];
    try {
      for (let bytes = 0; bytes < MAX_BATCH_BYTES; ) {
        const write = next();
        if (!write) break;
        const plan = tryPlan(write, agent.state);
        if (!plan) continue;
        planned.push({ write, result: plan.result });
        if (!plan.entry) continue;
        apply(agent.state, plan.entry, this.#files.clock.now());
        const text = encodeEntry(plan.entry);
        entries.push(plan.entry);
        texts.push(text);
        bytes += text.length;
      }
      if (texts.length > 0) await this.#write(agent, texts, entries);
    } catch (error) {
      // The state is ahead of the file now: what is stored is read again.
      await this.unload().catch(() => undefined);
      await this.#rejectBatch(planned, error);
      return;
    }
    for (const { write, result } of planned) write.resolve(result);
  }

  /**
   * A disk may be too full for all of them and have room for some: each gets a try of its own. Not where the log
   * isn't what they were planned on any more.
   */
  async #rejectBatch(planned: { write: Write }[], error: unknown): Promise<void> {
    const isGone = error instanceof StoreUnavailableError && error.outcome === 'none';
    if (planned.length === 1 || isGone) {
      for (const { write } of planned) write.reject(error);
      return;
    }
    for (const { write } of planned) {
      const agent = await this.#loadToWrite().catch(() => undefined);
      if (!agent) {
        write.reject(error);
        continue;
      }
      // Alone, whatever becomes of it: what came after the batch waits for the rest of it.
      const one = [write];
      await this.#writeBatch(agent, () => one.pop());
    }
  }

  async #write(agent: OpenAgent, texts: readonly string[], entries: readonly Entry[]): Promise<void> {
    const added = entries.reduce((sum, entry) => sum + (entry.events?.length ?? 0), 0);
    const place = await agent.log.append(texts);
    if (added > 0) agent.events.add(agent.state.cursor, place);
    agent.bytes += place.length - entries.reduce((sum, entry) => sum + eventBytes(entry), 0);
  }

  #nextWrite(): Write | undefined {
    return this.#tasks[0]?.kind === 'write' ? (this.#tasks.shift() as Write) : undefined;
  }
}

/** Undefined if the plan was refused, which the one who asked is told. */
function tryPlan(write: Write, state: AgentState): Planned<unknown> | undefined {
  try {
    return write.plan(state);
  } catch (error) {
    write.reject(error);
    return undefined;
  }
}
