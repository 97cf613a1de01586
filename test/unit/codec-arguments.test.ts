/**
 * Wrong arguments: clear errors, nothing out of bounds, nothing changed.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CodecError, type CodeSpec, codecFor, type Stripe } from '../../wasm/codec.ts'

const SPEC = { code: 'cauchy-xor', dataShards: 4, parityShards: 2 } as const
const CELL_BYTES = 512

function freshStripe(): Stripe {
  const stripe = codecFor(SPEC)
    .createStripePool({ cellBytesMax: CELL_BYTES, trailerBytes: 8, stripesMax: 1 })
    .tryAcquire()
  assert.ok(stripe)
  for (const cell of stripe.cells) cell.fill(7)
  return stripe
}

/** Anything a careless caller might pass where a number is due. */
const anyNumber = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(undefined, null, '4', {}, [], Number.NaN, -0, 2 ** 32, 2 ** 53),
) as fc.Arbitrary<number>

/** Runs and tells whether it worked; any error but a CodecError is a failure of the test. */
function accepted(work: () => unknown): boolean {
  try {
    work()
    return true
  } catch (error) {
    assert.ok(error instanceof CodecError, `${error}`)
    assert.ok(error.message.length > 10)
    return false
  }
}

const isCell = (bytes: unknown): boolean =>
  Number.isInteger(bytes) && [128, 256, 384, 512].includes(Number(bytes))

describe('codecFor', () => {
  it('accepts exactly the codes with k >= 1, m >= 0 and k + m <= 256', () => {
    fc.assert(
      fc.property(anyNumber, anyNumber, (dataShards, parityShards) => {
        const integers = Number.isInteger(dataShards) && Number.isInteger(parityShards)
        const right = integers && dataShards >= 1 && parityShards >= 0 && dataShards + parityShards <= 256
        assert.equal(
          accepted(() => codecFor({ code: 'vandermonde-11d', dataShards, parityShards })),
          right,
        )
      }),
    )
    assert.throws(() => codecFor({ ...SPEC, code: 'raid' } as unknown as CodeSpec), /unknown code "raid"/)
    assert.throws(() => codecFor({ ...SPEC, dataShards: 255 }), /at most 256 shards, got 255\+2/)
  })

  it('gives the same codec for the same code', () => {
    assert.equal(codecFor(SPEC), codecFor({ ...SPEC }))
  })

  it('says what is missing where the engine has no SIMD', () => {
    const { validate } = WebAssembly
    try {
      WebAssembly.validate = () => false
      assert.throws(() => codecFor(SPEC), /lacks WebAssembly SIMD: Node 24 or newer/)
    } finally {
      WebAssembly.validate = validate
    }
  })
})

describe('createStripePool', () => {
  const codec = codecFor(SPEC)
  const options = { cellBytesMax: 512, trailerBytes: 8, stripesMax: 2 }

  it('refuses sizes that are none, cells that are no blocks, and pools beyond 4 GiB', () => {
    for (const wrong of [0, -1, 1.5, Number.NaN, 100, 2 ** 53]) {
      assert.throws(() => codec.createStripePool({ ...options, cellBytesMax: wrong }), CodecError)
    }
    for (const wrong of [0, -1, 0.5, Number.NaN]) {
      assert.throws(() => codec.createStripePool({ ...options, stripesMax: wrong }), /stripesMax/)
    }
    assert.throws(() => codec.createStripePool({ ...options, trailerBytes: -1 }), /trailerBytes/)
    assert.throws(() => codec.createStripePool({ ...options, stripesMax: 1e6 }), /at most/)
  })
})

describe('a stripe', () => {
  const stripe = freshStripe()
  const whole = (): Buffer => Buffer.concat(stripe.cells)

  it('takes exactly the cell sizes that are multiples of a block up to the largest', () => {
    fc.assert(
      fc.property(anyNumber, (cellBytes) => {
        const right = isCell(cellBytes)
        assert.equal(
          accepted(() => stripe.encode(cellBytes)),
          right,
        )
        assert.equal(
          accepted(() => stripe.verify(cellBytes)),
          right,
        )
        assert.equal(
          accepted(() => stripe.framed(0, cellBytes)),
          right,
        )
        assert.equal(
          accepted(() => stripe.update(cellBytes, 0, Buffer.alloc(CELL_BYTES))),
          right,
        )
        assert.equal(
          accepted(() => stripe.reconstruct(cellBytes, { present: Array(6).fill(true) })),
          right,
        )
      }),
    )
  })

  it('takes exactly the shard indices that exist', () => {
    fc.assert(
      fc.property(anyNumber, (index) => {
        const exists = (count: number): boolean => Number.isInteger(index) && index >= 0 && index < count
        assert.equal(
          accepted(() => stripe.framed(index, 128)),
          exists(6),
        )
        assert.equal(
          accepted(() => stripe.update(128, index, Buffer.alloc(128))),
          exists(4),
        )
      }),
    )
  })

  it('refuses a delta that is short or no bytes, and changes nothing', () => {
    const before = whole()
    assert.throws(() => stripe.update(256, 0, Buffer.alloc(255)), /at least 256 bytes/)
    assert.throws(() => stripe.update(256, 0, 'x'.repeat(300) as unknown as Uint8Array), CodecError)
    assert.deepEqual(whole(), before)
  })

  it('takes exactly the patterns of n flags with k present and wanted ones among the missing', () => {
    const flags = fc.array(
      fc.oneof({ weight: 9, arbitrary: fc.boolean() }, { weight: 1, arbitrary: anyNumber }),
      {
        minLength: 4,
        maxLength: 7,
      },
    ) as fc.Arbitrary<boolean[]>
    const wanted = fc.option(
      fc.array(fc.oneof(fc.integer({ min: -1, max: 7 }), anyNumber), { maxLength: 3 }),
      {
        nil: undefined,
      },
    )
    fc.assert(
      fc.property(flags, wanted, (present, shards) => {
        stripe.encode(128)
        const before = whole()
        const pattern = present.length === 6 && present.every((flag) => typeof flag === 'boolean')
        const enough = pattern && present.filter(Boolean).length >= 4
        const missing = (shard: number): boolean => Number.isInteger(shard) && present[shard] === false
        const right = enough && (shards ?? []).every(missing)
        const options = { present, ...(shards && { wanted: shards }) }
        assert.equal(
          accepted(() => stripe.reconstruct(128, options)),
          right,
        )
        assert.deepEqual(whole(), before)
      }),
      { numRuns: 300 },
    )
  })

  it('refuses an empty pattern, also as the very first', () => {
    assert.throws(() => freshStripe().reconstruct(128, { present: [] }), /6 booleans/)
  })

  it('names the numbers when too few shards are present', () => {
    const present = [true, false, true, false, true, false]
    assert.throws(() => stripe.reconstruct(128, { present }), /3 shards are present, 4 are needed/)
  })

  it('does nothing for m = 0 and fills every parity shard for k = 1', () => {
    for (const parityShards of [0, 5]) {
      const pool = codecFor({ code: 'cauchy-xor', dataShards: 1, parityShards }).createStripePool({
        cellBytesMax: 128,
        trailerBytes: 0,
        stripesMax: 1,
      })
      const only = pool.tryAcquire()
      assert.ok(only)
      only.cells[0]?.fill(9)
      only.encode(128)
      assert.equal(only.verify(128), true)
      assert.equal(only.cells.length, 1 + parityShards)
      assert.ok(only.cells.every((cell) => cell.some((byte) => byte !== 0)))
    }
  })
})

describe('the stripe pool', () => {
  it('makes callers wait in order and never exceeds its bound', async () => {
    const pool = codecFor(SPEC).createStripePool({ cellBytesMax: 128, trailerBytes: 8, stripesMax: 2 })
    const [first, second] = [await pool.acquire(), await pool.acquire()]
    assert.equal(pool.inUse, 2)
    assert.equal(pool.tryAcquire(), undefined)
    const served: string[] = []
    const third = pool.acquire().then((stripe) => {
      served.push('third')
      return stripe
    })
    const fourth = pool.acquire().then((stripe) => {
      served.push('fourth')
      return stripe
    })
    assert.equal(pool.waiting, 2)
    first.release()
    await third
    assert.deepEqual(served, ['third'])
    assert.equal(pool.inUse, 2)
    second.release()
    await fourth
    assert.deepEqual(served, ['third', 'fourth'])
  })

  it('gives stripes that do not overlap, trailers included', () => {
    const pool = codecFor(SPEC).createStripePool({ cellBytesMax: 128, trailerBytes: 8, stripesMax: 3 })
    const stripes = [pool.tryAcquire(), pool.tryAcquire(), pool.tryAcquire()]
    const views = stripes.flatMap(
      (stripe) => stripe?.cells.map((_, shard) => stripe.framed(shard, 128)) ?? [],
    )
    assert.equal(views.length, 18)
    views.forEach((view, index) => {
      view.fill(index)
    })
    assert.ok(views.every((view, index) => view.length === 136 && view.every((byte) => byte === index)))
  })

  it('refuses a stripe after its release, twice too', async () => {
    const pool = codecFor(SPEC).createStripePool({ cellBytesMax: 128, trailerBytes: 0, stripesMax: 1 })
    const stripe = await pool.acquire()
    stripe.release()
    assert.throws(() => stripe.release(), /released already/)
    assert.throws(() => stripe.encode(128), /was released/)
    assert.equal(pool.inUse, 0)
  })

  it('rejects whoever waits when it closes', async () => {
    const pool = codecFor(SPEC).createStripePool({ cellBytesMax: 128, trailerBytes: 0, stripesMax: 1 })
    const held = await pool.acquire()
    const waiting = assert.rejects(pool.acquire(), /closed/)
    pool.close()
    await waiting
    await assert.rejects(pool.acquire(), /closed/)
    held.release()
    assert.equal(pool.tryAcquire(), undefined)
  })

  it('keeps its views through encodes and reconstructs, because the memory never grows', () => {
    const stripe = freshStripe()
    const present = [false, true, true, true, true, true]
    const views = [...stripe.cells]
    for (let round = 0; round < 3; round++) {
      stripe.encode(CELL_BYTES)
      stripe.reconstruct(CELL_BYTES, { present })
    }
    stripe.cells.forEach((cell, shard) => {
      assert.equal(cell, views[shard])
      assert.equal(cell.byteLength, CELL_BYTES)
    })
  })
})
