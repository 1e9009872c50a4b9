import { join } from 'node:path';
import { sha256 } from '../model/crypto.ts';

/** Longer names are hashed, so that paths stay within what Windows takes. */
const MAX_NAME = 100;
/** Names that Windows keeps for devices, in whatever case. */
const DEVICES = /^(?:con|prn|aux|nul|com\d|lpt\d)$/;
const LOG = /^log-([0-9a-f]{24})\.jsonl$/;

/** Where things lie below the store's folder. */
export class Paths {
  readonly root: string;
  /** Says that this is a store, and of which format. */
  readonly marker: string;
  /** A folder per agent. */
  readonly agents: string;
  /**
   * Of 3.0.0-alpha.1 and 3.0.0-alpha.2: what forks, whose histories lie in other logs, need of deleted agents' ones.
   */
  readonly ancestors: string;
  /** Where every opening has a folder for files in the making. */
  readonly allTemporary: string;
  /** Where every opening has a folder for what is deleted, on its way out. */
  readonly allTrash: string;
  /** The folders of this opening. They are gone when another process has taken the store over. */
  readonly temporary: string;
  readonly trash: string;

  /** `opening`: its number. */
  constructor(root: string, opening = 0) {
    this.root = root;
    this.marker = join(root, 'store.json');
    this.agents = join(root, 'agents');
    this.ancestors = join(root, 'ancestors');
    this.allTemporary = join(root, 'temporary');
    this.allTrash = join(root, 'trash');
    this.temporary = join(this.allTemporary, String(opening));
    this.trash = join(this.allTrash, String(opening));
  }

  agent(agentId: string): string {
    return join(this.agents, encodeName(agentId));
  }

  agentLog(agentId: string, key: string): string {
    return join(this.agent(agentId), logName(key));
  }

  ancestorLog(key: string): string {
    return join(this.ancestors, logName(key));
  }
}

/** A log's name holds its key: that tells an agent from an earlier one that had the same id. */
export function logName(key: string): string {
  return `log-${key}.jsonl`;
}

export function keyOfLog(fileName: string): string | undefined {
  return LOG.exec(fileName)?.[1];
}

/** Of an empty file beside a log that no earlier holder of the folder has open, as of the fence that it names. */
export function fenceName(fence: string): string {
  return `fence-${fence}`;
}

export function fenceOf(fileName: string): string | undefined {
  return fileName.startsWith('fence-') ? fileName.slice('fence-'.length) : undefined;
}

/**
 * A folder's name for an id. Ids that differ only in case, in Unicode normalisation or in a trailing dot
 * get names that differ on every file system.
 */
export function encodeName(id: string): string {
  let name = '';
  for (const byte of Buffer.from(id)) name += isVerbatim(byte) ? String.fromCharCode(byte) : escaped(byte);
  if (DEVICES.test(name)) name = escaped(name.charCodeAt(0)) + name.slice(1);
  return name.length > MAX_NAME ? `+${sha256(id)}` : name;
}

/** The id that a folder's name stands for; undefined if the name is hashed, or none of ours. */
export function decodeName(name: string): string | undefined {
  const bytes = name.replaceAll(/%([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const id = Buffer.from(bytes, 'latin1').toString();
  return encodeName(id) === name ? id : undefined;
}

export function isHashedName(name: string): boolean {
  return /^\+[0-9a-f]{64}$/.test(name);
}

function isVerbatim(byte: number): boolean {
  // a to z, 0 to 9, '-' and '_'
  return (byte >= 97 && byte <= 122) || (byte >= 48 && byte <= 57) || byte === 45 || byte === 95;
}

function escaped(byte: number): string {
  return `%${byte.toString(16).padStart(2, '0')}`;
}
