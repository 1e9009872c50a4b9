import type { AgentInfo } from '../model/agent.ts';
import { validateAgentId } from '../model/ids.ts';
import { reading } from '../model/json.ts';
import type { MessageRecord } from '../model/message.ts';
import type { AgentToolCallRecord } from '../model/tool-call.ts';
import {
  checkBackup,
  checkCheck,
  checkClaim,
  checkForkCount,
  checkLongCall,
  checkWatch,
} from './arguments.ts';
import { CheckedStore } from './checked-store.ts';
import type {
  AgentStats,
  MessageQueryFilter,
  SessionQueryFilter,
  StatsFilter,
  ToolCallQueryFilter,
} from './filters.ts';
import type { Paged } from './paged.ts';
import type {
  AgentLease,
  BackupOptions,
  ClaimOptions,
  ConsistencyOptions,
  ConsistencyReport,
  ExtendedStore,
  HealthReport,
  LongCallOptions,
  StoreMetrics,
  WatchItem,
  WatchOptions,
} from './store.ts';
import type { TrustingExtendedStore } from './trusting-store.ts';
import {
  validateMessageFilter,
  validateSessionFilter,
  validateStatsFilter,
  validateToolCallFilter,
} from './validate-filter.ts';

/** The same edge for backends with queries. */
export abstract class CheckedExtendedStore<B extends TrustingExtendedStore>
  extends CheckedStore<B>
  implements ExtendedStore
{
  /** Never throws: the report says it. */
  protected abstract checkHealth(): Promise<HealthReport>;

  querySessions(filter?: SessionQueryFilter): Promise<AgentInfo[]> {
    return this.run(
      'querySessions',
      () => validateSessionFilter(filter),
      (backend, query) => backend.querySessions(query),
    );
  }

  queryMessages(filter?: MessageQueryFilter): Promise<MessageRecord[]> {
    return this.run(
      'queryMessages',
      () => validateMessageFilter(filter),
      (backend, query) => backend.queryMessages(query),
    );
  }

  queryToolCalls(filter?: ToolCallQueryFilter): Promise<AgentToolCallRecord[]> {
    return this.run(
      'queryToolCalls',
      () => validateToolCallFilter(filter),
      (backend, query) => backend.queryToolCalls(query),
    );
  }

  aggregateStats(agentIdOrFilter?: string | StatsFilter, options?: LongCallOptions): Promise<AgentStats> {
    return this.runUntil(
      'aggregateStats',
      () => {
        const signal = checkLongCall(options);
        if (typeof agentIdOrFilter !== 'string') return { of: validateStatsFilter(agentIdOrFilter), signal };
        validateAgentId(agentIdOrFilter);
        return { of: agentIdOrFilter, signal };
      },
      (backend, { of, signal }) => backend.aggregateStats(of, signal),
    );
  }

  iterateSessions(filter?: SessionQueryFilter, options?: LongCallOptions): AsyncIterable<AgentInfo> {
    return this.#pages(
      'iterateSessions',
      () => ({ query: validateSessionFilter(filter, 'iterate'), signal: checkLongCall(options) }),
      (backend, { query, signal }) => backend.iterateSessions(query, signal),
    );
  }

  iterateMessages(filter?: MessageQueryFilter, options?: LongCallOptions): AsyncIterable<MessageRecord> {
    return this.#pages(
      'iterateMessages',
      () => ({ query: validateMessageFilter(filter, 'iterate'), signal: checkLongCall(options) }),
      (backend, { query, signal }) => backend.iterateMessages(query, signal),
    );
  }

  iterateToolCalls(
    filter?: ToolCallQueryFilter,
    options?: LongCallOptions,
  ): AsyncIterable<AgentToolCallRecord> {
    return this.#pages(
      'iterateToolCalls',
      () => ({ query: validateToolCallFilter(filter, 'iterate'), signal: checkLongCall(options) }),
      (backend, { query, signal }) => backend.iterateToolCalls(query, signal),
    );
  }

  healthCheck(): Promise<HealthReport> {
    return this.lifecycle.run('healthCheck', () => this.checkHealth());
  }

  checkConsistency(what?: string | ConsistencyOptions): Promise<ConsistencyReport> {
    return this.runUntil(
      'checkConsistency',
      () => checkCheck(what),
      (backend, check) => backend.checkConsistency(check),
    );
  }

  getMetrics(): StoreMetrics {
    this.lifecycle.assertOpen();
    return {
      startedAt: this.lifecycle.startedAt,
      operations: this.lifecycle.metrics(),
      leasesHeld: this.opening.opened?.leasesHeld ?? 0,
    };
  }

  batchFork(agentId: string, count: number, options?: LongCallOptions): Promise<string[]> {
    return this.runUntil(
      'batchFork',
      () => {
        validateAgentId(agentId);
        return { agentIds: checkForkCount(count), signal: checkLongCall(options) };
      },
      (backend, { agentIds, signal }) => backend.batchFork(agentId, agentIds, signal),
    );
  }

  claimResumable(options: ClaimOptions): Promise<AgentLease[]> {
    return this.run(
      'claimResumable',
      () => checkClaim(options),
      (backend, claim) => backend.claimResumable(claim),
    );
  }

  backup(path?: string, options?: BackupOptions): Promise<string> {
    return this.runUntil(
      'backup',
      () => checkBackup(path, options),
      (backend, checked) => backend.backup(checked),
    );
  }

  watch(agentId: string, options?: WatchOptions): AsyncIterable<WatchItem> {
    return this.iterate(
      'watch',
      () => {
        validateAgentId(agentId);
        return checkWatch(options);
      },
      (backend, checked) => backend.watch(agentId, checked, this.lifecycle.closing),
    );
  }

  #pages<A extends { readonly signal: AbortSignal | undefined }, R, T>(
    operation: string,
    check: () => A,
    source: (backend: B, checked: A) => Paged<R, T>,
  ): AsyncIterable<T> {
    return this.lifecycle.iteratePages(operation, async () => {
      const checked = reading(operation, check);
      return source(await this.opening.now(checked.signal), checked);
    });
  }
}
