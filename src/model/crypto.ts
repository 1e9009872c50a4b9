let loaded: typeof import('node:crypto') | undefined;

/**
 * Node's crypto brings all of its ciphers and streams along. It is loaded by the first use, so that importing
 * the package doesn't wait for it.
 */
function nodeCrypto(): typeof import('node:crypto') {
  loaded ??= process.getBuiltinModule('node:crypto');
  return loaded;
}

export function sha256(data: string | Buffer, encoding: 'hex' | 'base64' | 'base64url' = 'hex'): string {
  return nodeCrypto().hash('sha256', data, encoding);
}

export function randomUUID(): string {
  return nodeCrypto().randomUUID();
}

export function randomBytes(size: number): Buffer {
  return nodeCrypto().randomBytes(size);
}
