import { arch, cpus, platform, totalmem } from 'node:os';

/** What the figures were measured on: a class of machine, not a machine. */
export interface Machine {
  node: string;
  platform: string;
  cores: number;
  memoryGb: number;
}

export function machine(): Machine {
  return {
    node: process.version,
    platform: `${platform()} ${arch()}`,
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
  };
}
