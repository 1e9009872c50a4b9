import { join } from 'node:path';
import { CorruptDataError } from '../errors.ts';
import type { Clock } from '../model/clock.ts';
import { apply } from './apply.ts';
import { compacted } from './compact.ts';
import type { Conversation } from './conversation.ts';
import type { Disk } from './disk.ts';
import { removeStrayDocuments } from './document-files.ts';
import { type Entry, encodeEntry, encodeHeader, encodeLine, type LogHeader } from './entry.ts';
import { EventIndex } from './event-index.ts';
import { inOrder } from './in-order.ts';
import { historyEntries } from './inherit.ts';
import { FORMAT, missing, NewLines, type ScanResult } from './lines.ts';
import { eventBytes, type LogReader } from './load.ts';
import { type Durability, LogFile } from './log-file.ts';
import { decodeName, fenceName, fenceOf, isHashedName, keyOfLog, logName, type Paths } from './paths.ts';
import { type AgentState, emptyState } from './state.ts';

/** An agent in memory, with its log. */
export interface OpenAgent {
  directory: string;
  state: AgentState;
  events: EventIndex;
  log: LogFile;
  bytes: number;
  /** Its files were made ready to be written to. */
  writable: boolean;
  /** Nobody who lost the folder before this was given out has the log open. */
  fence: string | undefined;
  /** The log as it was when it was read; only where others may write to it. */
  version: string | undefined;
}

/** An agent before anything of it is on disk. */
export interface NewAgent {
  header: LogHeader;
  /** What a fork inherits. */
  history?: Conversation;
  first: Entry;
}

export interface FileOptions {
  durability: Durability;
  readOnly: boolean;
  /** Since this was given out, nobody but the holders of the lock has a log open that was replaced or made. */
  fence: string | undefined;
}

/** Creates, opens and removes the folders of agents. */
export class AgentFiles {
  readonly paths: Paths;
  readonly disk: Disk;
  readonly reader: LogReader;
  readonly clock: Clock;
  readonly #options: FileOptions;

  constructor(paths: Paths, disk: Disk, reader: LogReader, clock: Clock, options: FileOptions) {
    this.paths = paths;
    this.disk = disk;
    this.reader = reader;
    this.clock = clock;
    this.#options = options;
  }

  /** The key of an agent's log; undefined if there is no such agent. */
  async findKey(agentId: string): Promise<string | undefined> {
    return (await this.#find(agentId))?.key;
  }

  /** The first line of an agent's log; undefined if there is no such agent. */
  async headerOf(agentId: string): Promise<LogHeader | undefined> {
    const key = await this.findKey(agentId);
    return key === undefined ? undefined : this.reader.headerOf(this.paths.agentLog(agentId, key));
  }

  async #find(agentId: string): Promise<{ key: string; fence: string | undefined } | undefined> {
    const directory = this.paths.agent(agentId);
    const names = await this.disk.namesIn(directory);
    if (!names) return undefined;
    for (const name of names) {
      const key = keyOfLog(name);
      if (key) return { key, fence: names.map(fenceOf).find((fence) => fence !== undefined) };
    }
    throw new CorruptDataError(
      `The folder "${directory}" of agent "${agentId}" has no log in it. Restore the store's folder from a backup, or remove that folder.`,
    );
  }

  /** Ids of all agents, or of those that begin with `prefix`, in byte order. */
  async list(prefix: string): Promise<string[]> {
    const ids: string[] = [];
    for (const name of await this.disk.names(this.paths.agents)) {
      const id = await this.idOf(name);
      if (id?.startsWith(prefix)) ids.push(id);
    }
    return inOrder(ids, (id) => id);
  }

  /** Whose folder this is; undefined if it is none of ours. A hashed name doesn't tell the id; the log does. */
  async idOf(name: string): Promise<string | undefined> {
    if (!isHashedName(name)) return decodeName(name);
    const directory = join(this.paths.agents, name);
    for (const file of (await this.disk.namesIn(directory)) ?? []) {
      if (keyOfLog(file)) return (await this.reader.headerOf(join(directory, file)))?.agentId;
    }
    return undefined;
  }

  /** Undefined if there is no such agent. `end`: what lies behind it in the log was refused. */
  async open(agentId: string, end?: number): Promise<OpenAgent | undefined> {
    const found = await this.#find(agentId);
    if (!found) return undefined;
    const { key, fence } = found;
    const directory = this.paths.agent(agentId);
    const path = join(directory, logName(key));
    const version = this.#options.readOnly ? await this.disk.versionOf(path) : undefined;
    const loaded = await this.reader.load(path, { end });
    if (!loaded) return undefined;
    const { state, events, bytes } = loaded;
    if (state.header.agentId !== agentId || state.header.key !== key) {
      throw new CorruptDataError(
        `The file "${path}" is the log of another agent ("${state.header.agentId}").`,
      );
    }
    const log = await this.#log(path, loaded, end !== undefined);
    return { directory, state, events, log, bytes, writable: false, fence, version };
  }

  /** Whether what is in memory is what is stored. */
  async isCurrent({ log, version }: OpenAgent): Promise<boolean> {
    return !this.#options.readOnly || (await this.disk.versionOf(log.path)) === version;
  }

  /** Before the first write to an agent's folder: reading changes nothing there. */
  async makeWritable(agent: OpenAgent): Promise<void> {
    if (agent.writable) return;
    await agent.log.settle();
    await agent.log.cutTornTail();
    if (agent.log.format !== FORMAT || agent.state.header.base) await this.#upgrade(agent);
    await this.#fence(agent);
    await removeStrayDocuments(this, agent);
    agent.writable = true;
  }

  /** The new agent is there as soon as its folder has its name, and then whole. */
  async create({ header, history, first }: NewAgent): Promise<OpenAgent> {
    const state = emptyState(header, history);
    apply(state, first, this.clock.now());
    const made = join(this.paths.temporary, header.key);
    const entries = function* (): Generator<Entry> {
      if (history) yield* historyEntries(history);
      yield first;
    };
    const lines = new NewLines(textsOf(header, entries()));
    const directory = this.paths.agent(header.agentId);
    try {
      await this.disk.makeDirectory(made);
      await this.disk.writeWhole(join(made, logName(header.key)), lines);
      await this.disk.syncDirectory(made);
      await this.disk.moveOrNot(made, directory);
    } catch (error) {
      await this.disk.removeTree(made).catch(() => undefined);
      throw error;
    }
    const events = new EventIndex();
    // The last line is that of the first entry.
    if (state.cursor > 0) events.add(state.cursor, lines.last);
    const log = await this.#log(join(directory, logName(header.key)), lines.written);
    return {
      directory,
      state,
      events,
      log,
      bytes: lines.written.end - eventBytes(first),
      writable: true,
      fence: undefined,
      version: undefined,
    };
  }

  /** The agent is gone as soon as its folder is in the trash. */
  async remove(agentId: string, key: string): Promise<void> {
    const trash = join(this.paths.trash, key);
    await this.disk.moveOrNot(this.paths.agent(agentId), trash);
    // What can't be removed now goes when the store is opened again.
    await this.disk.removeTree(trash).catch(() => undefined);
  }

  async #log(path: string, written: ScanResult, refused = false): Promise<LogFile> {
    const { durability, readOnly } = this.#options;
    const found = await this.disk.placeOf(path);
    return new LogFile(path, written, {
      disk: this.disk,
      clock: this.clock,
      durability,
      identity: found?.identity,
      flags: readOnly ? 'r' : 'r+',
      refused,
    });
  }

  /** Writes the log of an agent that is open for writing anew, without what was overwritten. */
  async compact(agent: OpenAgent): Promise<void> {
    const { header } = agent.state;
    const entries = await this.reader.entries(agent.log.path);
    const left = compacted(header, entries, this.clock.now());
    await this.#replace(agent, (made) => this.disk.writeWhole(made, new NewLines(textsOf(header, left))));
  }

  /**
   * Writes a log of 3.0.0-alpha.1 or 3.0.0-alpha.2 anew: its lines as they are today, and before them a history that
   * was in another log.
   */
  async #upgrade(agent: OpenAgent): Promise<void> {
    const { base: _base, ...header } = agent.state.header;
    const history = await this.reader.history(agent.state.header);
    const own = await this.reader.texts(agent.log.path);
    const texts = function* (): Generator<string> {
      yield* textsOf({ ...header, format: FORMAT }, historyEntries(history));
      yield* own;
    };
    await this.#replace(agent, (made) => this.disk.writeWhole(made, new NewLines(texts())));
  }

  /**
   * Somebody who had the folder may have the log open without knowing that it is another's by now, and what it
   * is about to write would end up among what is written from here on: it keeps the file, and the log is another.
   */
  async #fence(agent: OpenAgent): Promise<void> {
    const { fence } = this.#options;
    if (fence === undefined || agent.fence === fence) return;
    // What is behind the end may be of such a one.
    await this.#replace(agent, (made) => this.disk.copy(agent.log.path, made, agent.log.size));
    await this.disk.writeUnsynced(join(agent.directory, fenceName(fence)), '');
    if (agent.fence !== undefined) await this.disk.unlink(join(agent.directory, fenceName(agent.fence)));
    agent.fence = fence;
  }

  /** Puts another file with the same meaning in a log's place, in one step: a crash leaves the one or the other. */
  async #replace(agent: OpenAgent, make: (path: string) => Promise<void>): Promise<void> {
    const { path } = agent.log;
    const made = join(this.paths.temporary, logName(agent.state.header.key));
    // Windows replaces no file that is open.
    await agent.log.close();
    try {
      await make(made);
      await this.disk.move(made, path);
    } catch (error) {
      await this.disk.removeTree(made).catch(() => undefined);
      throw error;
    }
    const loaded = await this.reader.load(path);
    if (!loaded) throw missing(path);
    agent.state = loaded.state;
    agent.events = loaded.events;
    agent.bytes = loaded.bytes;
    agent.log = await this.#log(path, loaded);
  }
}

function* textsOf(header: LogHeader, entries: Iterable<Entry>): Generator<string> {
  yield encodeHeader(header);
  for (const entry of entries) yield encodeLine([encodeEntry(entry)]);
}
