import { AgentNotFoundError } from '../errors.ts';
import type { AgentKeys } from './keys.ts';
import type { Driver } from './port/driver.ts';
import { KEY_BLOCK } from './port/driver.ts';
import { statement } from './port/statement.ts';

const FIND = statement('find_agent', 'SELECT tree, agent FROM {directory} WHERE agent_id = $1');
export const MAX_REMEMBERED = 50_000;
/** Who has used up a block is about to need many more keys. */
const BLOCKS_AT_ONCE = 16;

/**
 * Public ids to integer keys. An agent's keys never change and are never reused, so a remembered pair can
 * only be outdated by a deletion: whoever finds no head row under it calls `forget` and asks again.
 */
export class Directory {
  readonly #driver: Driver;
  readonly #known = new Map<string, AgentKeys>();
  readonly #blocks: { next: number; end: number }[] = [];
  #keysLeft = 0;
  #blocksAtOnce = 1;
  #reserving: Promise<void> | undefined;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  async find(agentId: string): Promise<AgentKeys | undefined> {
    const known = this.#known.get(agentId);
    if (known) return known;
    const [row] = await this.#driver.read(FIND, [agentId]);
    if (!row) return undefined;
    const keys = { tree: Number(row.tree), agent: Number(row.agent) };
    this.remember(agentId, keys);
    return keys;
  }

  /** What is remembered, which may be outdated. */
  recall(agentId: string): AgentKeys | undefined {
    return this.#known.get(agentId);
  }

  async get(agentId: string): Promise<AgentKeys> {
    const keys = await this.find(agentId);
    if (!keys) throw new AgentNotFoundError(agentId);
    return keys;
  }

  /**
   * Runs a read that answers `undefined` when there is no head row under the keys, and runs it again
   * with fresh keys in case the agent was deleted and created anew.
   */
  async resolve<T>(agentId: string, read: (keys: AgentKeys) => Promise<T | undefined>): Promise<T> {
    const remembered = this.#known.has(agentId);
    const first = await read(await this.get(agentId));
    if (first !== undefined) return first;
    this.forget(agentId);
    if (remembered) {
      const second = await read(await this.get(agentId));
      if (second !== undefined) return second;
      this.forget(agentId);
    }
    throw new AgentNotFoundError(agentId);
  }

  remember(agentId: string, keys: AgentKeys): void {
    if (this.#known.size >= MAX_REMEMBERED) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
    this.#known.set(agentId, keys);
  }

  forget(agentId: string): void {
    this.#known.delete(agentId);
  }

  /** A key for a new agent or branch. */
  async newKey(): Promise<number> {
    const [key] = await this.newKeys(1);
    return Number(key);
  }

  async newKeys(count: number): Promise<number[]> {
    while (this.#keysLeft < count) {
      this.#reserving ??= this.#reserve(
        Math.max(this.#blocksAtOnce, Math.ceil((count - this.#keysLeft) / KEY_BLOCK)),
      ).finally(() => {
        this.#reserving = undefined;
      });
      await this.#reserving;
    }
    this.#keysLeft -= count;
    const keys: number[] = [];
    while (keys.length < count) keys.push(...this.#takeFromFirst(count - keys.length));
    return keys;
  }

  #takeFromFirst(most: number): number[] {
    const [block] = this.#blocks;
    if (!block) throw new RangeError('there are fewer keys than were counted');
    const keys = Array.from({ length: Math.min(most, block.end - block.next) }, (_, i) => block.next + i);
    block.next += keys.length;
    if (block.next === block.end) this.#blocks.shift();
    return keys;
  }

  async #reserve(blocks: number): Promise<void> {
    for (const first of await this.#driver.reserveKeys(blocks)) {
      this.#blocks.push({ next: first, end: first + KEY_BLOCK });
      this.#keysLeft += KEY_BLOCK;
    }
    this.#blocksAtOnce = BLOCKS_AT_ONCE;
  }
}
