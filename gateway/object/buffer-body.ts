/** A body that the gateway itself writes: bytes at hand, as the store consumes them. */
import { createHash } from 'node:crypto'
import type { BodySource } from './object-store.ts'

/** `bytes` must not change until the write has ended. */
export function bufferBody(bytes: Buffer): BodySource {
  return {
    bytes: bytes.length,
    chunks: (async function* () {
      if (bytes.length > 0) yield bytes
    })(),
    finish: async () => ({ md5: createHash('md5').update(bytes).digest('hex'), checksum: undefined }),
  }
}
