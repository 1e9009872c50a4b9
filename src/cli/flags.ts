import { type Command, InvalidArgumentError, Option } from 'commander';
import { ValidationError } from '../errors.ts';
import { AGENT_STATUSES } from '../model/agent.ts';
import { toInstant } from '../model/instants.ts';
import type { Instant, MetadataFilter, SessionQueryFilter, StatsFilter } from '../store/filters.ts';
import { UsageError } from './errors.ts';
import { formatNumber } from './terminal.ts';

/** Flags that several commands share; each gives the key of the filter that it is named after. */

type CreatedRange = Pick<StatsFilter, 'createdAfter' | 'createdBefore'>;
type Page = Pick<SessionQueryFilter, 'limit' | 'offset' | 'order'>;

export function addPageFlags(command: Command): Command {
  return command
    .option('--limit <number>', 'at most this many, 1 to 10,000 (default: 100)', integerFrom(1, 10_000))
    .option('--offset <number>', 'leave out this many first', integerFrom(0))
    .addOption(
      new Option('--order <order>', 'newest first (desc, the default) or oldest first').choices([
        'asc',
        'desc',
      ]),
    );
}

export function addCreatedFlags(command: Command): Command {
  return command
    .option('--created-after <instant>', 'created at or after this ISO 8601 instant or date', instant)
    .option('--created-before <instant>', 'created before this ISO 8601 instant or date', instant);
}

export function addAgentFlags(command: Command): Command {
  return command
    .option('--template-id <id>', 'agents of this template', text)
    .option('--user-id <id>', 'agents of this user', text)
    .addOption(new Option('--status <status>', 'agents with this status').choices(AGENT_STATUSES.map(String)))
    .option(
      '--metadata <key=value>',
      'agents with this value in their metadata; may be repeated. The key is a dot path; the value a ' +
        'number, true, false, null or else a string ("7" in quotes is one, too)',
      metadata,
    );
}

/** The parts of the flags that filters consist of: a filter takes no keys but its own. */

export function agentFilter(flags: StatsFilter): StatsFilter {
  const { templateId, userId, status, metadata: values } = flags;
  return { templateId, userId, status, metadata: values, ...createdFilter(flags) };
}

export function createdFilter({ createdAfter, createdBefore }: CreatedRange): CreatedRange {
  return { createdAfter, createdBefore };
}

export function pageFilter({ limit, offset, order }: Page): Page {
  return { limit, offset, order };
}

/** A filter that the store would refuse comes from the flags: wrong usage, found before a store is opened. */
export function checkFilter<Filter>(validate: (filter: Filter) => unknown, filter: Filter): void {
  try {
    validate(filter);
  } catch (error) {
    if (error instanceof ValidationError) throw new UsageError(error.message);
    throw error;
  }
}

export function text(value: string): string {
  if (value === '') throw new InvalidArgumentError('It must not be empty.');
  return value;
}

function integerFrom(least: number, most = Number.MAX_SAFE_INTEGER): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= least && number <= most) return number;
    const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${formatNumber(most)}`;
    throw new InvalidArgumentError(`It must be a whole number, ${range}.`);
  };
}

function instant(value: string): Instant {
  // A year is no instant, and nobody means the first seconds of 1970.
  const given = /^\d{5,}$/.test(value) ? Number(value) : value;
  try {
    return new Date(toInstant('It', given));
  } catch (error) {
    if (error instanceof ValidationError) throw new InvalidArgumentError(error.message.replace(':', ''));
    throw error;
  }
}

function metadata(value: string, previous: MetadataFilter | undefined): MetadataFilter {
  const at = value.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must have the form key=value.');
  return { ...previous, [value.slice(0, at)]: scalar(value.slice(at + 1)) };
}

function scalar(value: string): MetadataFilter[string] {
  try {
    const parsed: unknown = JSON.parse(value);
    if (parsed === null || typeof parsed === 'boolean' || typeof parsed === 'string') return parsed;
    if (typeof parsed === 'number' && Number.isFinite(parsed)) return parsed;
  } catch {
    // Not JSON: the text itself.
  }
  return value;
}
