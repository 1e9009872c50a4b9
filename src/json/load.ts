import type { FileHandle } from 'node:fs/promises';
import { CorruptDataError, SchemaVersionError } from '../errors.ts';
import type { Clock } from '../model/clock.ts';
import { appendAll } from '../model/lists.ts';
import { apply } from './apply.ts';
import { Conversation } from './conversation.ts';
import { decodeHeader, decodeLine, NewerFormatError } from './decode.ts';
import type { Disk } from './disk.ts';
import type { Entry, LogHeader, SharedHistory } from './entry.ts';
import { EventIndex } from './event-index.ts';
import { inherit } from './inherit.ts';
import { damaged, type Line, missing, type ScanResult, scanLines } from './lines.ts';
import type { Paths } from './paths.ts';
import { type AgentState, emptyState } from './state.ts';

export interface LoadedLog extends ScanResult {
  state: AgentState;
  events: EventIndex;
  /** About what the state takes in memory. */
  bytes: number;
}

/** How much is remembered of histories that several forks share. Nothing that is written later changes them. */
export const MAX_REMEMBERED = 16;
export const MAX_REMEMBERED_BYTES = 32 << 20;

/** Most headers are shorter. */
const HEADER_BYTES = 4_096;

/** Reads logs. */
export class LogReader {
  readonly #paths: Paths;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #remembered = new Map<string, LoadedLog>();

  constructor(paths: Paths, disk: Disk, clock: Clock) {
    this.#clock = clock;
    this.#paths = paths;
    this.#disk = disk;
  }

  /**
   * Undefined if there is no such file. Entries after `until` are left out, and so is what lies behind `end`.
   */
  async load(
    path: string,
    { until, end }: { until?: number | undefined; end?: number | undefined } = {},
  ): Promise<LoadedLog | undefined> {
    const header = await this.headerOf(path);
    if (!header) return undefined;
    // Before this log is opened: one file at a time, however long the line of forks is.
    const history = await this.history(header);
    return this.#disk.reading(path, async (handle) => {
      const state = emptyState(header, history);
      const events = new EventIndex();
      const now = this.#clock.now();
      let bytes = 0;
      const onEntries = (entries: Entry[], line: Line) => {
        const cursor = state.cursor;
        bytes += line.length;
        for (const entry of entries) {
          if (until !== undefined && entry.n > until) return false;
          apply(state, entry, now);
          bytes -= eventBytes(entry);
        }
        if (state.cursor > cursor) events.add(state.cursor, line);
        return true;
      };
      const result = await scanEntries(handle, path, header, onEntries, end);
      return { ...result, state, events, bytes };
    });
  }

  /** The history of a fork that is in another log. */
  async history({ base, createdAt }: LogHeader): Promise<Conversation> {
    if (!base) return new Conversation();
    if (base.unused) return Conversation.dropped(base.position);
    const parent = await this.#parentState(base);
    return understand(this.#paths.ancestorLog(base.key), 0, () => inherit(parent, base, createdAt));
  }

  /** The entries of a log as they are, one after the other. */
  async entries(path: string): Promise<Entry[]> {
    const all: Entry[] = [];
    await this.#read(path, async (handle, header) => {
      await scanEntries(handle, path, header, (entries) => {
        appendAll(all, entries);
        return true;
      });
    });
    return all;
  }

  /** The texts of a log's lines behind its header. */
  async texts(path: string): Promise<string[]> {
    const texts: string[] = [];
    await this.#read(path, async (handle) => {
      await scanLines(handle, path, ({ offset, text }) => {
        if (offset > 0) texts.push(text);
        return true;
      });
    });
    return texts;
  }

  /** Undefined if there is no such file. */
  async headerOf(path: string): Promise<LogHeader | undefined> {
    return this.#disk.reading(path, (handle) => readHeader(handle, path));
  }

  /** A log that must be there. */
  async #read(path: string, read: (handle: FileHandle, header: LogHeader) => Promise<void>): Promise<void> {
    const found = await this.#disk.reading(path, async (handle) => {
      await read(handle, await readHeader(handle, path));
      return true;
    });
    if (!found) throw missing(path);
  }

  async #parentState(base: SharedHistory): Promise<AgentState> {
    const name = `${base.key} ${base.n}`;
    const known = this.#remembered.get(name);
    if (known) return known.state;
    for (const path of [this.#paths.agentLog(base.agentId, base.key), this.#paths.ancestorLog(base.key)]) {
      const log = await this.load(path, { until: base.n });
      if (!log) continue;
      this.#remember(name, log);
      return log.state;
    }
    throw new CorruptDataError(
      `The history that a fork of agent "${base.agentId}" begins with is missing: there is no "${this.#paths.ancestorLog(base.key)}". Restore the store's folder from a backup.`,
    );
  }

  #remember(name: string, log: LoadedLog): void {
    this.#remembered.set(name, log);
    let bytes = 0;
    for (const { bytes: size } of this.#remembered.values()) bytes += size;
    for (const [oldest, { bytes: size }] of this.#remembered) {
      if (this.#remembered.size <= MAX_REMEMBERED && bytes <= MAX_REMEMBERED_BYTES) break;
      this.#remembered.delete(oldest);
      bytes -= size;
    }
  }
}

/** Events stay on disk. */
export function eventBytes(entry: Entry): number {
  return entry.events?.reduce((sum, event) => sum + event.length, 0) ?? 0;
}

async function readHeader(handle: FileHandle, path: string): Promise<LogHeader> {
  let text: string | undefined;
  const onLine = (line: Line) => {
    text = line.text;
    return false;
  };
  await scanLines(handle, path, onLine, { chunkBytes: HEADER_BYTES });
  // A log gets its name when it is on disk: a header is never torn.
  if (text === undefined) throw damaged(path, 0);
  return understand(path, 0, () => decodeHeader(text ?? ''));
}

async function scanEntries(
  handle: FileHandle,
  path: string,
  { agentId }: LogHeader,
  onEntries: (entries: Entry[], line: Line) => boolean,
  end?: number,
): Promise<ScanResult> {
  const onLine = (line: Line) => {
    if (line.offset === 0) return true;
    return understand(path, line.offset, () => onEntries(decodeLine(agentId, line.text), line));
  };
  return scanLines(handle, path, onLine, { end });
}

/** What the checksum vouches for and yet can't be understood is damage too. */
function understand<T>(path: string, offset: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof NewerFormatError) {
      throw new SchemaVersionError(
        `The file "${path}" has ${error.message}, which is newer than this version of the package knows. Install a newer version.`,
      );
    }
    if (error instanceof CorruptDataError) throw error;
    throw damaged(path, offset, error);
  }
}
