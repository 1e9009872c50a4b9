let loaded: typeof import('node:zlib') | undefined;

/** The CRC-32 of some bytes, going on from one of what came before. Loaded by the first use, as Node's crypto is. */
export function crc32(data: Buffer, previous = 0): number {
  loaded ??= process.getBuiltinModule('node:zlib');
  return loaded.crc32(data, previous);
}
