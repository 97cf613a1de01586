/**
 * The door to Reed-Solomon: a code by name, pools of stripes to run it on, and the self-test at process start.
 *
 * Invariant: callers outside of wasm/ import this file (and the checksum files) and nothing else from here.
 * Ownership of buffers is told in stripe-pool.ts; codes and matrices in code.ts; README.md tells the why.
 */
import { BoundedCache } from './bounded-cache.ts'
import { type CodeSpec, codeOf } from './code.ts'
import { CodecError } from './codec-error.ts'
import { engineFor } from './engines.ts'
import { createStripePool, type StripePool, type StripePoolOptions } from './stripe-pool.ts'
import { encodeModule, FunctionBody, I32 } from './wasm-module.ts'

export { CODE_NAMES, type CodeName, type CodeSpec } from './code.ts'
export { CodecError } from './codec-error.ts'
export { selfTest } from './self-test.ts'
export type { ReconstructOptions, Stripe, StripePool, StripePoolOptions } from './stripe-pool.ts'

export interface Codec {
  readonly spec: CodeSpec
  /** Every cell length must be a multiple of it. */
  readonly blockBytes: number
  /**
   * A pool whose memory is stripesMax x (n + 1) x (cellBytesMax + trailerBytes + about 4 KiB), address space that
   * becomes resident as it is used. Throws CodecError for options that are no sizes or exceed 4 GiB.
   */
  createStripePool(options: StripePoolOptions): StripePool
}

/** Codecs held: a deployment has a handful of pools, each with one code. */
const CODECS_MAX = 32
const codecs = new BoundedCache<Codec>(CODECS_MAX)

/**
 * The codec of a code; the same object for the same spec while it is held.
 * Throws CodecError for arguments that are not a code, and where WebAssembly lacks 128-bit vectors.
 */
export function codecFor(spec: CodeSpec): Codec {
  requireSimd()
  const key = `${spec.code} ${spec.dataShards} ${spec.parityShards}`
  return codecs.get(key, () => {
    const code = codeOf(spec)
    const engine = engineFor(code)
    return {
      spec: code.spec,
      blockBytes: engine.blockBytes,
      createStripePool: (options) => createStripePool(code, engine, options),
    }
  })
}

/** Asks the engine whether it accepts the newest vector instruction in use, without running anything. */
function requireSimd(): void {
  const body = new FunctionBody(0)
  for (const _operand of ['table', 'indices']) body.i32(0).simd('i8x16.splat')
  body.simd('i8x16.relaxed_swizzle').simd('v128.any_true')
  if (!WebAssembly.validate(encodeModule([{ name: 'probe', parameters: [], results: [I32], body }]))) {
    throw new CodecError(
      'this JavaScript engine lacks WebAssembly SIMD: Node 24 or newer on a 64-bit CPU is needed',
    )
  }
}
