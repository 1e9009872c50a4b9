import { assertRoomForWrite } from '../../store/queues.ts';
import { gaveUp, isLost } from './lost-wait.ts';

interface Line {
  last: Promise<unknown>;
  /** Works that haven't ended. */
  length: number;
}

/** Runs work on one agent strictly one after the other; different agents don't wait for each other. */
export class SerialQueue {
  readonly #lines = new Map<string, Line>();

  /** The work that came last, if it hasn't ended. */
  last(agentId: string): Promise<unknown> | undefined {
    return this.#lines.get(agentId)?.last;
  }

  async run<T>(agentId: string, work: () => Promise<T>): Promise<T> {
    const line = this.#lines.get(agentId);
    if (!line) return this.#begin(agentId, work);
    assertRoomForWrite(agentId, line.length);
    const since = performance.now();
    const result = line.last.then(work, (error: unknown) => {
      const waitedMs = performance.now() - since;
      return isLost(error, waitedMs) ? Promise.reject(gaveUp(agentId, error, waitedMs)) : work();
    });
    line.last = result;
    line.length += 1;
    return this.#ended(agentId, line, result);
  }

  #begin<T>(agentId: string, work: () => Promise<T>): Promise<T> {
    const result = work();
    const line = { last: result, length: 1 };
    this.#lines.set(agentId, line);
    return this.#ended(agentId, line, result);
  }

  async #ended<T>(agentId: string, line: Line, result: Promise<T>): Promise<T> {
    try {
      return await result;
    } finally {
      line.length -= 1;
      if (line.length === 0) this.#lines.delete(agentId);
    }
  }
}
