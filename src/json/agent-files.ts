import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptDataError } from '../errors.ts';
import type { Clock } from '../model/clock.ts';
import { apply } from './apply.ts';
import type { Conversation } from './conversation.ts';
import { removeStrayDocuments } from './document-files.ts';
import { type Entry, encodeEntry, encodeHeader, encodeLine, type LogHeader } from './entry.ts';
import { EventIndex } from './event-index.ts';
import { errorCode, move, namesIn, removeTree, syncDirectory, writeWhole } from './files.ts';
import { frame } from './lines.ts';
import { eventBytes, type LogReader } from './load.ts';
import { type Durability, LogFile } from './log-file.ts';
import { decodeName, isHashedName, keyOfLog, logName, type Paths } from './paths.ts';
import { type AgentState, emptyState } from './state.ts';

/** An agent in memory, with its log open for appending. */
export interface OpenAgent {
  directory: string;
  state: AgentState;
  events: EventIndex;
  log: LogFile;
  bytes: number;
}

export interface NewAgent {
  header: LogHeader;
  conversation: Conversation;
  first: Entry;
}

/** Creates, opens and removes the folders of agents. */
export class AgentFiles {
  readonly paths: Paths;
  readonly reader: LogReader;
  readonly clock: Clock;
  readonly #durability: Durability;

  constructor(paths: Paths, reader: LogReader, durability: Durability, clock: Clock) {
    this.paths = paths;
    this.reader = reader;
    this.clock = clock;
    this.#durability = durability;
  }

  /** The key of an agent's log; undefined if there is no such agent. */
  async findKey(agentId: string): Promise<string | undefined> {
    const directory = this.paths.agent(agentId);
    let names: string[];
    try {
      names = await readdir(directory);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    for (const name of names) {
      const key = keyOfLog(name);
      if (key) return key;
    }
    throw new CorruptDataError(
      `The folder "${directory}" of agent "${agentId}" has no log in it. Restore the store's folder from a backup, or remove that folder.`,
    );
  }

  /** Ids of all agents, or of those that begin with `prefix`, in byte order. */
  async list(prefix: string): Promise<string[]> {
    const ids: string[] = [];
    for (const name of await readdir(this.paths.agents)) {
      const id = isHashedName(name) ? await this.#idInside(name) : decodeName(name);
      if (id?.startsWith(prefix)) ids.push(id);
    }
    return ids
      .map((id) => ({ id, bytes: Buffer.from(id) }))
      .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
      .map(({ id }) => id);
  }

  /** A hashed name doesn't tell the id; the log does. */
  async #idInside(name: string): Promise<string | undefined> {
    const directory = join(this.paths.agents, name);
    for (const file of await namesIn(directory)) {
      if (keyOfLog(file)) return (await this.reader.headerOf(join(directory, file)))?.agentId;
    }
    return undefined;
  }

  /** Undefined if there is no such agent. */
  async open(agentId: string): Promise<OpenAgent | undefined> {
    const key = await this.findKey(agentId);
    if (!key) return undefined;
    const directory = this.paths.agent(agentId);
    const path = join(directory, logName(key));
    const loaded = await this.reader.load(path);
    if (!loaded) return undefined;
    const { state, events, bytes } = loaded;
    if (state.header.agentId !== agentId || state.header.key !== key) {
      throw new CorruptDataError(
        `The file "${path}" is the log of another agent ("${state.header.agentId}").`,
      );
    }
    const log = await LogFile.open(path, loaded.end, this.#durability);
    if (loaded.torn) await log.dropTornTail();
    await removeStrayDocuments(directory, state);
    return { directory, state, events, log, bytes };
  }

  /** The new agent is there as soon as its folder has its name, and then whole. */
  async create({ header, conversation, first }: NewAgent): Promise<OpenAgent> {
    const state = emptyState(header, conversation);
    apply(state, first, this.clock.now());
    const made = join(this.paths.temporary, header.key);
    const lines = [frame(encodeHeader(header)), frame(encodeLine([encodeEntry(first)]))];
    try {
      await mkdir(made);
      await writeWhole(join(made, logName(header.key)), Buffer.concat(lines));
      await syncDirectory(made);
      await move(made, this.paths.agent(header.agentId));
    } catch (error) {
      await removeTree(made).catch(() => undefined);
      throw error;
    }
    const directory = this.paths.agent(header.agentId);
    const [start = 0, length = 0] = lines.map((line) => line.length);
    const events = new EventIndex();
    if (state.cursor > 0) events.add(state.cursor, { offset: start, length });
    const log = await LogFile.open(join(directory, logName(header.key)), start + length, this.#durability);
    return { directory, state, events, log, bytes: start + length - eventBytes(first) };
  }

  /** The agent is gone as soon as its folder is in the trash. */
  async remove(agentId: string, key: string): Promise<void> {
    const trash = join(this.paths.trash, key);
    await move(this.paths.agent(agentId), trash);
    // What can't be removed now goes when the store is opened again.
    await removeTree(trash).catch(() => undefined);
  }
}
