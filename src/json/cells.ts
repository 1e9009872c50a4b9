import type { AgentFiles } from './agent-files.ts';
import { AgentCell } from './cell.ts';

/** How much is kept in memory of agents that nobody works with. */
export const MAX_BYTES = 64 << 20;
/** Each one in memory has a file open. */
export const MAX_AGENTS = 128;

/** The agents that somebody works with, or did not long ago. */
export class AgentCells {
  readonly #files: AgentFiles;
  readonly #onIdle: (cell: AgentCell) => void;
  /** The one used longest ago comes first. */
  readonly #cells = new Map<string, AgentCell>();
  readonly #closing = new Set<Promise<void>>();
  #left = false;

  constructor(files: AgentFiles, onIdle: (cell: AgentCell) => void) {
    this.#files = files;
    this.#onIdle = onIdle;
  }

  get(agentId: string): AgentCell {
    const known = this.#cells.get(agentId);
    if (known) return known;
    const cell = new AgentCell(agentId, this.#files, (idle) => this.#settle(idle));
    this.#cells.set(agentId, cell);
    return cell;
  }

  /** When nobody works with any of them any more. */
  async close(): Promise<void> {
    const cells = [...this.#cells.values()];
    this.#cells.clear();
    await Promise.all([...cells.map((cell) => cell.retire()), ...this.#closing]);
  }

  /** As the others become idle, too. */
  leave(): void {
    this.#left = true;
    for (const cell of this.#cells.values()) if (!cell.busy) this.#retire(cell);
  }

  #settle(cell: AgentCell): void {
    if (this.#left) {
      this.#retire(cell);
      return;
    }
    this.#cells.delete(cell.agentId);
    this.#cells.set(cell.agentId, cell);
    this.#onIdle(cell);
    this.#evict();
  }

  #evict(): void {
    const cells = [...this.#cells.values()];
    let bytes = cells.reduce((sum, cell) => sum + (cell.inMemory?.bytes ?? 0), 0);
    let count = cells.length;
    // The last one was used just now, and will be again.
    for (const cell of cells.slice(0, -1)) {
      if (bytes <= MAX_BYTES && count <= MAX_AGENTS) break;
      if (!cell.idle) continue;
      bytes -= cell.inMemory?.bytes ?? 0;
      count -= 1;
      this.#retire(cell);
    }
  }

  #retire(cell: AgentCell): void {
    this.#cells.delete(cell.agentId);
    const closed = cell.retire().catch(() => undefined);
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }
}
