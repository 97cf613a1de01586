/**
 * The xxHash digests of S3 (XXH64, XXH3 with 64 and 128 bits; seed 0, digests in the canonical big-endian order).
 *
 * hash-wasm computes them. One instance of each algorithm serves all streams: a stream's state (a few hundred bytes)
 * is kept by the stream between updates, so that the number of streams costs no WebAssembly memory. Instances are
 * compiled asynchronously: `prepareXxHash` before the first request.
 */
import { createXXHash3, createXXHash64, createXXHash128, type IHasher } from 'hash-wasm'

const makers = {
  XXHASH64: () => createXXHash64(),
  XXHASH3: () => createXXHash3(),
  XXHASH128: () => createXXHash128(),
} as const

export type XxHashName = keyof typeof makers

interface Prepared {
  readonly hasher: IHasher
  /** The state of an empty stream. */
  readonly empty: Uint8Array
}

const prepared = new Map<XxHashName, Prepared>()

/** Compiles the algorithms, once; to be awaited before the first digest is made. */
export async function prepareXxHash(): Promise<void> {
  for (const name of Object.keys(makers) as XxHashName[]) {
    if (prepared.has(name)) continue
    const hasher = await makers[name]()
    prepared.set(name, { hasher, empty: hasher.init().save() })
  }
}

/** One stream; buffers are read within `update` and not kept. Throws Error before `prepareXxHash`. */
export class XxHash {
  readonly #hasher: IHasher
  #state: Uint8Array

  constructor(name: XxHashName) {
    const found = prepared.get(name)
    if (found === undefined) throw new Error(`${name} was not prepared`)
    this.#hasher = found.hasher
    this.#state = found.empty
  }

  update(chunk: Uint8Array): void {
    this.#state = this.#hasher.load(this.#state).update(chunk).save()
  }

  digest(): Buffer {
    return Buffer.from(this.#hasher.load(this.#state).digest('binary'))
  }
}
