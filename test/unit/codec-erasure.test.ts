/**
 * Every module against the oracle: all erasures of small codes, random ones of large codes, random shapes.
 * A failing random case prints its seed; CODEC_SEED repeats it.
 */
import assert from 'node:assert/strict'
import { createHash, randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { codeOf, range } from '../../wasm/code.ts'
import { type CodeSpec, codecFor, type Stripe } from '../../wasm/codec.ts'
import { slowShards } from '../../wasm/oracle.ts'

const SEED = Number(process.env.CODEC_SEED ?? randomInt(2 ** 31))

/** A reproducible stream of numbers in [0, below). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

interface Loaded {
  readonly stripe: Stripe
  readonly cellBytes: number
  readonly whole: readonly Buffer[]
}

/** A stripe with data derived from its name, encoded, and a copy of all cells. */
function load(spec: CodeSpec, cellBytes: number): Loaded {
  const pool = codecFor(spec).createStripePool({ cellBytesMax: cellBytes, trailerBytes: 8, stripesMax: 1 })
  const stripe = pool.tryAcquire()
  assert.ok(stripe)
  const seed = JSON.stringify({ ...spec, cellBytes })
  const data = createHash('shake256', { outputLength: spec.dataShards * cellBytes })
    .update(seed)
    .digest()
  stripe.cells.slice(0, spec.dataShards).forEach((cell, shard) => {
    data.copy(cell, 0, shard * cellBytes)
  })
  stripe.encode(cellBytes)
  return { stripe, cellBytes, whole: stripe.cells.map((cell) => Buffer.from(cell)) }
}

/** Erases, reconstructs, and leaves the stripe as it was. */
function checkErasure({ stripe, cellBytes, whole }: Loaded, lost: readonly number[]): void {
  const present = whole.map((_, shard) => !lost.includes(shard))
  for (const shard of lost) stripe.cells[shard]?.fill(0xa5)
  stripe.reconstruct(cellBytes, { present })
  stripe.cells.forEach((cell, shard) => {
    assert.ok(cell.equals(whole[shard] ?? cell), `shard ${shard} after losing ${lost} (seed ${SEED})`)
  })
}

describe('reconstruction', () => {
  for (const code of ['cauchy-xor', 'vandermonde-11d'] as const) {
    for (const [dataShards, parityShards] of [
      [1, 3],
      [2, 2],
      [4, 2],
      [6, 3],
    ] as const) {
      it(`restores every erasure pattern of ${code} ${dataShards}+${parityShards}`, () => {
        const spec = { code, dataShards, parityShards }
        const shards = dataShards + parityShards
        const loaded = load(spec, 4 * codecFor(spec).blockBytes)
        let patterns = 0
        for (let mask = 0; mask < 1 << shards; mask++) {
          const lost = range(0, shards).filter((shard) => (mask >> shard) & 1)
          if (lost.length > parityShards) continue
          patterns++
          checkErasure(loaded, lost)
        }
        assert.ok(patterns > shards)
      })
    }

    it(`restores random erasures of large ${code} codes`, () => {
      const random = randomFrom(SEED)
      for (const [dataShards, parityShards] of [
        [12, 4],
        [16, 4],
        [20, 10],
        [24, 8],
        [33, 7],
        [120, 30],
      ] as const) {
        const spec = { code, dataShards, parityShards }
        const loaded = load(spec, codecFor(spec).blockBytes === 1 ? 100 : 2 * codecFor(spec).blockBytes)
        for (let round = 0; round < 8; round++) {
          const lost = new Set(range(0, parityShards).map(() => random(dataShards + parityShards)))
          checkErasure(loaded, [...lost])
        }
      }
    })
  }

  it('fills only the wanted shards and touches nothing else', () => {
    const spec = { code: 'cauchy-xor', dataShards: 6, parityShards: 3 } as const
    const { stripe, cellBytes, whole } = load(spec, 512)
    const present = whole.map((_, shard) => ![1, 4, 7].includes(shard))
    for (const shard of [1, 4, 7]) stripe.cells[shard]?.fill(0xa5)
    stripe.reconstruct(cellBytes, { present, wanted: [7] })
    assert.deepEqual(stripe.cells[7], whole[7])
    for (const shard of [1, 4]) assert.ok(stripe.cells[shard]?.every((byte) => byte === 0xa5))
  })

  it('leaves the bytes behind a shorter cell alone, trailers included', () => {
    for (const code of ['cauchy-xor', 'vandermonde-11d'] as const) {
      const spec = { code, dataShards: 4, parityShards: 2 }
      const cellBytes = code === 'cauchy-xor' ? 256 : 101
      const pool = codecFor(spec).createStripePool({ cellBytesMax: 512, trailerBytes: 8, stripesMax: 1 })
      const stripe = pool.tryAcquire()
      assert.ok(stripe)
      for (const shard of range(0, 6)) stripe.framed(shard, 512).fill(0x77)
      stripe.encode(cellBytes)
      stripe.reconstruct(cellBytes, { present: [false, true, true, true, true, false] })
      stripe.update(cellBytes, 2, Buffer.alloc(cellBytes, 3))
      for (const shard of range(0, 6)) {
        const rest = stripe.framed(shard, 512).subarray(cellBytes)
        assert.ok(
          rest.every((byte) => byte === 0x77),
          `${code} shard ${shard}`,
        )
      }
    }
  })
})

describe('encoding', () => {
  it('equals the oracle for random shapes and sizes', () => {
    const random = randomFrom(SEED + 1)
    for (let round = 0; round < 40; round++) {
      const code = random(3) === 0 ? 'vandermonde-11d' : 'cauchy-xor'
      const dataShards = 1 + random(round % 8 === 0 ? 60 : 22)
      const spec = { code, dataShards, parityShards: random(9) } as const
      const { blockBytes } = codecFor(spec)
      const { whole, stripe, cellBytes } = load(
        spec,
        blockBytes === 1 ? 1 + random(200) : blockBytes * (1 + random(2)),
      )
      const parity = slowShards(codeOf(spec), whole.slice(0, dataShards), range(dataShards, whole.length))
      assert.deepEqual(whole.slice(dataShards), parity, `${JSON.stringify(spec)} seed ${SEED}`)
      assert.equal(stripe.verify(cellBytes), true)
    }
  })

  it('is the same for a large cell as for its parts', () => {
    for (const [dataShards, parityShards] of [
      [4, 2],
      [17, 3],
      [40, 3],
    ] as const) {
      const spec = { code: 'cauchy-xor', dataShards, parityShards } as const
      const { blockBytes } = codecFor(spec)
      const blocks = Math.floor(1_048_576 / blockBytes)
      const { whole } = load(spec, blocks * blockBytes)
      for (const at of [0, 1, blocks >> 1, blocks - 1]) {
        const part = whole.map((cell) => cell.subarray(at * blockBytes, (at + 1) * blockBytes))
        const parity = slowShards(codeOf(spec), part.slice(0, dataShards), range(dataShards, whole.length))
        assert.deepEqual(part.slice(dataShards), parity, `block ${at} of ${dataShards}+${parityShards}`)
      }
    }
  })

  it('of bytes takes every length: 1, odd, 64 KiB and its neighbours', () => {
    const spec = { code: 'vandermonde-11d', dataShards: 3, parityShards: 2 } as const
    for (const cellBytes of [1, 2, 3, 31, 4095, 4097, 65_535, 65_536, 65_537]) {
      const { whole } = load(spec, cellBytes)
      const parity = slowShards(codeOf(spec), whole.slice(0, 3), [3, 4])
      assert.deepEqual(whole.slice(3), parity, `${cellBytes} bytes`)
    }
  })
})

describe('verification', () => {
  it('finds one wrong bit in any shard, at any end of the cell', () => {
    for (const code of ['cauchy-xor', 'vandermonde-11d'] as const) {
      const spec = { code, dataShards: 5, parityShards: 3 }
      const { stripe, cellBytes } = load(spec, 640)
      assert.equal(stripe.verify(cellBytes), true)
      for (const cell of stripe.cells) {
        for (const at of [0, 15, 16, 31, 320, cellBytes - 1]) {
          cell[at] = (cell[at] ?? 0) ^ 0x10
          assert.equal(stripe.verify(cellBytes), false, `${code} byte ${at}`)
          cell[at] = (cell[at] ?? 0) ^ 0x10
        }
      }
      assert.equal(stripe.verify(cellBytes), true)
    }
  })
})

describe('partial update', () => {
  it('gives the parity of a full encode, for every data shard, from a delta inside or outside of the stripe', () => {
    for (const [dataShards, parityShards] of [
      [4, 2],
      [20, 10],
      [35, 3],
    ] as const) {
      for (const code of ['cauchy-xor', 'vandermonde-11d'] as const) {
        const { stripe, cellBytes } = load({ code, dataShards, parityShards }, 1280)
        for (const shard of range(0, dataShards)) {
          const before = Buffer.from(stripe.cells[shard] ?? [])
          const delta = createHash('shake256', { outputLength: cellBytes }).update(`${shard}`).digest()
          if (shard % 2 === 0) delta.copy(stripe.delta)
          stripe.update(cellBytes, shard, shard % 2 === 0 ? stripe.delta : delta)
          assert.ok(stripe.cells[shard]?.every((byte, at) => byte === ((before[at] ?? 0) ^ (delta[at] ?? 0))))
        }
        assert.equal(stripe.verify(cellBytes), true, `${code} ${dataShards}+${parityShards}`)
      }
    }
  })
})
