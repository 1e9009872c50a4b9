import { dirname, join } from 'node:path';
import type { AgentFiles, OpenAgent } from './agent-files.ts';
import type { AgentCell } from './cell.ts';
import {
  type Entry,
  encodeEntry,
  encodeHeader,
  encodeLine,
  type ForkPoint,
  type LogHeader,
} from './entry.ts';
import { type Dependents, ForkIndex } from './fork-index.ts';
import { FORMAT, frameAll } from './lines.ts';
import type { RawLog } from './load.ts';
import { logName } from './paths.ts';
import { strip } from './strip.ts';

/** Rewriting a log costs as much as reading it: less garbage than this isn't worth it. */
const MIN_GARBAGE = 16 << 10;

type LogName = Pick<LogHeader, 'agentId' | 'key'>;

/**
 * Gives space back that nobody needs any more. Only one of these runs at a time, and no fork beside it:
 * which forks depend on a log doesn't change meanwhile.
 */
export class Reclaimer {
  readonly #files: AgentFiles;
  readonly #cell: (agentId: string) => AgentCell;
  readonly #forks: ForkIndex;

  constructor(files: AgentFiles, cell: (agentId: string) => AgentCell) {
    this.#files = files;
    this.#cell = cell;
    this.#forks = new ForkIndex(files.reader);
  }

  /** Whether an agent's log holds so much garbage that rewriting it pays. */
  isWorthwhile({ inMemory, garbageLeft }: AgentCell): boolean {
    // What is only read stays as it is.
    if (!inMemory?.writable) return false;
    const { state, log } = inMemory;
    return state.garbage >= Math.max(MIN_GARBAGE, log.size / 2, 2 * garbageLeft);
  }

  /** Deletes an agent, within its cell: its forks keep what they need. Returns where it began itself. */
  async remove(cell: AgentCell, agent: OpenAgent): Promise<ForkPoint | undefined> {
    const { header, forks } = agent.state;
    const { paths, reader } = this.#files;
    const dependents = await this.#forks.living(forks);
    const raw = dependents.cuts.length > 0 ? await reader.raw(agent.log.path) : undefined;
    const left = raw && (await this.#rewrite(raw, dependents, paths.ancestorLog(header.key), false));
    await cell.unload();
    await this.#files.remove(header.agentId, header.key);
    return needsLess(header, left) ? header.base : undefined;
  }

  /** After a fork is gone, or needs less: the same for the log that it begins in, and so on upwards. */
  async releaseParent(base: LogName | ForkPoint | undefined): Promise<void> {
    for (let next = base; next; ) next = await this.#release(next);
  }

  /** What a crash in the midst of a deletion left behind. */
  async sweep(): Promise<void> {
    const { paths, reader, disk } = this.#files;
    for (const name of (await disk.namesIn(paths.ancestors)) ?? []) {
      const path = join(paths.ancestors, name);
      try {
        const header = await reader.headerOf(path);
        if (!header) continue;
        // The agent itself is still there: its deletion had only begun.
        if ((await this.#files.findKey(header.agentId)) === header.key) await disk.discard(path, paths.trash);
        else await this.releaseParent(header);
      } catch {
        // A damaged log is for those to find out who need it: nothing of it is given up here.
      }
    }
  }

  /** Rewrites the log of a living agent, within its cell. Returns the parent if it needs less of it now. */
  async compact(cell: AgentCell, agent: OpenAgent): Promise<ForkPoint | undefined> {
    const { header, forks } = agent.state;
    await this.#files.makeWritable(agent);
    const dependents = await this.#forks.living(forks);
    const raw = await this.#files.reader.raw(agent.log.path);
    if (!raw) return undefined;
    const path = agent.log.path;
    // Windows replaces no file that is open.
    await cell.unload();
    const left = await this.#rewrite(raw, dependents, path, true);
    await cell.settleGarbage();
    return needsLess(header, left) ? header.base : undefined;
  }

  async #release(base: LogName | ForkPoint): Promise<ForkPoint | undefined> {
    const { paths, reader, disk } = this.#files;
    if ((await this.#files.findKey(base.agentId)) === base.key) {
      const cell = this.#cell(base.agentId);
      return cell.work((agent) => {
        if (!agent || agent.state.header.key !== base.key || agent.state.garbage < MIN_GARBAGE)
          return undefined;
        return this.compact(cell, agent);
      });
    }
    const path = paths.ancestorLog(base.key);
    if ('n' in base && (await this.#forks.isCovered(base.key, base))) return undefined;
    const raw = await reader.raw(path);
    if (!raw) return undefined;
    const forks = forksOf(raw);
    this.#forks.remember(base.key, forks);
    const dependents = await this.#forks.living(forks);
    if (dependents.cuts.length === 0) {
      await disk.discard(path, paths.trash);
      await disk.syncDirectory(dirname(path));
      return raw.header.base;
    }
    const left = await this.#rewrite(raw, dependents, path, false);
    return needsLess(raw.header, left) ? raw.header.base : undefined;
  }

  /** Writes what is left of a log, and returns its header. */
  async #rewrite(
    raw: RawLog,
    { cuts, keys }: Dependents,
    target: string,
    alive: boolean,
  ): Promise<LogHeader> {
    const { header } = raw;
    const { clock, disk, paths, reader } = this.#files;
    const history = await reader.history(header);
    const left = strip({ ...raw, history, cuts, forks: keys, alive, now: clock.now() });
    const made = join(paths.temporary, logName(header.key));
    try {
      await disk.writeWhole(made, linesOf(left.header, left.entries));
      await disk.move(made, target);
    } catch (error) {
      await disk.removeTree(made).catch(() => undefined);
      throw error;
    }
    return left.header;
  }
}

/** Whether the log that this one begins in can be looked at again, now that only `left` is left of this one. */
function needsLess({ base }: LogHeader, left: LogHeader | undefined): boolean {
  if (!base || base.unused) return false;
  return left?.base?.need !== base.need || left.base.unused === true;
}

function linesOf(header: LogHeader, entries: readonly Entry[]): Buffer {
  const lines = entries.map((entry) => encodeLine([encodeEntry(entry)]));
  return frameAll([encodeHeader({ ...header, format: FORMAT }), ...lines]);
}

function forksOf({ entries }: RawLog): Map<string, string> {
  const forks = new Map<string, string>();
  for (const { fork } of entries) if (fork) forks.set(fork.key, fork.agentId);
  return forks;
}
