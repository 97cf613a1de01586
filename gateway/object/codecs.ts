/**
 * The codecs and stripe memory of one gateway: one pool of stripes per code and cell size, made when first needed.
 */
import type { Pool } from '../../node/core/cluster-map.ts'
import { frameTrailerBytes, type Geometry, geometryOf } from '../../node/core/geometry.ts'
import { type Codec, type CodeName, codecFor, type StripePool } from '../../wasm/codec.ts'

/** Bytes of stripe memory per pool: some fifty stripes of 4+2 with cells of 256 KiB; more uploads than that wait. */
const POOL_BYTES_MAX = 80 * 1024 * 1024

/** What names a code and how blobs are cut with it; a Pool and a ShardedBlob both are one. */
export type CodeShape = Pick<Pool, 'code' | 'dataShards' | 'parityShards' | 'cellBytes'>

export class Codecs {
  readonly #pools = new Map<string, StripePool>()

  codec(shape: CodeShape): Codec {
    return codecFor({
      code: shape.code as CodeName,
      dataShards: shape.dataShards,
      parityShards: shape.parityShards,
    })
  }

  geometry(shape: CodeShape, bytes: number): Geometry {
    const { dataShards, parityShards, cellBytes } = shape
    return geometryOf({
      bytes,
      dataShards,
      parityShards,
      cellBytes,
      blockBytes: this.codec(shape).blockBytes,
    })
  }

  stripes(shape: CodeShape): StripePool {
    const name = `${shape.code} ${shape.dataShards}+${shape.parityShards} ${shape.cellBytes}`
    let pool = this.#pools.get(name)
    if (pool === undefined) {
      const stripeBytes = (shape.dataShards + shape.parityShards) * shape.cellBytes
      pool = this.codec(shape).createStripePool({
        cellBytesMax: shape.cellBytes,
        trailerBytes: frameTrailerBytes,
        stripesMax: Math.max(4, Math.floor(POOL_BYTES_MAX / stripeBytes)),
      })
      this.#pools.set(name, pool)
    }
    return pool
  }
}
