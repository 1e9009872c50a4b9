import { AgentExistsError } from '../errors.ts';
import type { Clock } from '../model/clock.ts';
import { randomBytes } from '../model/crypto.ts';
import { AgentFiles } from './agent-files.ts';
import type { AgentCell } from './cell.ts';
import { AgentCells } from './cells.ts';
import { Deltas } from './deltas.ts';
import { Disk } from './disk.ts';
import { Leases } from './leases.ts';
import { LogReader } from './load.ts';
import type { StoreLock } from './lock.ts';
import { Mutex } from './mutex.ts';
import { onExit } from './on-exit.ts';
import { openFolder, openForReading } from './opening.ts';
import type { Settings } from './options.ts';
import type { Paths } from './paths.ts';
import { planFork } from './plan-fork.ts';
import { separateForks } from './separate-forks.ts';

export interface EngineOptions extends Settings {
  clock: Clock;
  /** Ends the opening. */
  signal?: AbortSignal | undefined;
  /** Ends waiting for the folder. */
  closing?: AbortSignal | undefined;
}

/**
 * An open folder. Agents are worked with side by side, each in its cell. Forks and deletions go one after the other:
 * no fork appears of an agent that is known to be deleted.
 */
export class Engine {
  readonly clock: Clock;
  readonly files: AgentFiles;
  readonly leases: Leases;
  readonly deltas: Deltas;
  readonly #cells: AgentCells;
  readonly #lock: StoreLock | undefined;
  readonly #structure = new Mutex();
  readonly #compacting = new Map<string, Promise<void>>();
  readonly #forgetExit: () => void;

  private constructor(paths: Paths, lock: StoreLock | undefined, options: EngineOptions) {
    const { clock, durability, holder, readOnly } = options;
    this.clock = clock;
    const disk = new Disk(options.modes, lock ? { guard: lock } : { readOnly: paths.root });
    const reader = new LogReader(paths, disk, clock);
    this.files = new AgentFiles(paths, disk, reader, clock, {
      durability,
      readOnly,
      fence: lock?.fence,
    });
    this.leases = new Leases(lock?.generation ?? 0, clock, holder, () => lock?.look());
    this.deltas = new Deltas(clock);
    this.#lock = lock;
    this.#cells = new AgentCells(this.files, (cell) => this.#compactLater(cell));
    this.#forgetExit = onExit(() => {
      // What is being written may go on after this. The next process finds that this one has ended.
      if (!disk.writing) lock?.releaseNow();
    });
  }

  static async open(root: string, options: EngineOptions): Promise<Engine> {
    const { clock, modes, readOnly, signal, closing } = options;
    signal?.throwIfAborted();
    if (readOnly) {
      const disk = new Disk(modes, { readOnly: root });
      return new Engine(await openForReading(root, disk), undefined, options);
    }
    const { lock, paths } = await openFolder(root, { disk: new Disk(modes), clock, signal, closing });
    const engine = new Engine(paths, lock, options);
    try {
      await separateForks(engine.files, options);
    } catch (error) {
      await engine.close().catch(() => undefined);
      throw error;
    }
    return engine;
  }

  cell(agentId: string): AgentCell {
    return this.#cells.get(agentId);
  }

  exists(agentId: string): Promise<boolean> {
    return this.cell(agentId).alone(async () => (await this.files.findKey(agentId)) !== undefined);
  }

  /** Its log is a copy of what it inherits: what it costs is what it weighs. The parent goes on meanwhile. */
  fork(agentId: string, at: string | number | undefined, childId: string): Promise<void> {
    return this.#structure.run(async () => {
      const fork = await this.cell(agentId).use(async ({ state }) => {
        if (await this.files.findKey(childId)) throw new AgentExistsError(childId);
        return planFork(state, at, { agentId: childId, key: newKey() }, this.clock.now());
      });
      const child = this.cell(childId);
      await child.work(async (existing) => {
        if (existing) throw new AgentExistsError(childId);
        await child.create(fork);
      });
    });
  }

  remove(agentId: string): Promise<void> {
    return this.#structure.run(async () => {
      const cell = this.cell(agentId);
      await cell.alone(async () => {
        const key = await this.files.findKey(agentId);
        if (key === undefined) return;
        await cell.unload();
        await this.files.remove(agentId, key);
        this.leases.drop(agentId);
        this.deltas.forget(agentId);
      });
    });
  }

  /** Aborted when another process has taken the folder: nothing can be done here any more. */
  get lost(): AbortSignal | undefined {
    return this.#lock?.lost;
  }

  /** When nothing is under way any more. */
  async close(): Promise<void> {
    const { disk, paths } = this.files;
    this.leases.close();
    try {
      await Promise.all(this.#compacting.values());
      await this.#cells.close();
      // What can't be removed now goes when the store is opened again.
      for (const folder of [paths.temporary, paths.trash]) {
        await disk.removeTree(folder).catch(() => undefined);
      }
    } finally {
      this.#forgetExit();
      await this.#lock?.release();
    }
  }

  /** The folder is another process's now. What is under way will fail, and lets go of what it has open. */
  abandon(): void {
    this.leases.close();
    this.#forgetExit();
    this.#cells.leave();
  }

  /** Beside everything else; a failure changes nothing but the file's size. */
  #compactLater(idle: AgentCell): void {
    const { agentId } = idle;
    if (this.#compacting.has(agentId) || !idle.isWasteful) return;
    const done = this.cell(agentId)
      .compact()
      .catch(() => undefined)
      .then(() => {
        this.#compacting.delete(agentId);
      });
    this.#compacting.set(agentId, done);
  }
}

/** Keys are never given out twice. */
export function newKey(): string {
  return randomBytes(12).toString('hex');
}
