import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { crc32 as nativeCrc32, crc32c as nativeCrc32c } from '@node-rs/crc32'
import {
  Crc32,
  Crc32c,
  Crc64Nvme,
  combineCrc32,
  combineCrc32c,
  combineCrc64Nvme,
} from '../../wasm/checksum.ts'

interface Algorithm {
  readonly name: string
  readonly make: () => { update(buffer: Uint8Array): unknown; digest(): bigint | number }
  readonly expected: (bytes: Buffer) => bigint | number
  /** The CRC of the ASCII digits 1 to 9, from the catalogue of parametrised CRC algorithms. */
  readonly check: bigint | number
  readonly combine: (left: Buffer, right: Buffer) => bigint | number
}

/** Bit by bit, as the definition says. */
function slowCrc64(bytes: Uint8Array): bigint {
  let register = (1n << 64n) - 1n
  for (const byte of bytes) {
    register ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) register = (register >> 1n) ^ (register & 1n ? 0x9a6c9329ac4bc9b5n : 0n)
  }
  return register ^ ((1n << 64n) - 1n)
}

const ALGORITHMS: readonly Algorithm[] = [
  {
    name: 'CRC-64/NVME',
    make: () => new Crc64Nvme(),
    expected: slowCrc64,
    check: 0xae8b14860a799888n,
    combine: (left, right) => combineCrc64Nvme(slowCrc64(left), slowCrc64(right), right.length),
  },
  {
    name: 'CRC-32C',
    make: () => new Crc32c(),
    expected: (bytes) => nativeCrc32c(bytes),
    check: 0xe3069283,
    combine: (left, right) => combineCrc32c(nativeCrc32c(left), nativeCrc32c(right), right.length),
  },
  {
    name: 'CRC-32',
    make: () => new Crc32(),
    expected: (bytes) => nativeCrc32(bytes),
    check: 0xcbf43926,
    combine: (left, right) => combineCrc32(nativeCrc32(left), nativeCrc32(right), right.length),
  },
]

/** Around every bound of the implementation: vector, fold unit, table loop, folding threshold, window. */
const LENGTHS = [
  0, 1, 7, 8, 15, 16, 17, 63, 64, 65, 4096, 32_767, 32_768, 32_769, 32_831, 40_000, 65_535, 65_536, 262_145,
]

for (const { name, make, expected, check, combine } of ALGORITHMS) {
  describe(name, () => {
    it('gives the check value of the catalogue', () => {
      const stream = make()
      stream.update(Buffer.from('123456789'))
      assert.equal(stream.digest(), check)
    })

    it('equals the reference for one update of any length', () => {
      for (const length of LENGTHS) {
        const bytes = randomBytes(length)
        const stream = make()
        stream.update(bytes)
        assert.equal(stream.digest(), expected(bytes), `${length} bytes`)
      }
    })

    it('equals the reference for random cuts of interleaved streams, digested on the way', () => {
      const streams = Array.from({ length: 3 }, () => ({ stream: make(), parts: [] as Buffer[] }))
      for (let round = 0; round < 24; round++) {
        const { stream, parts } = streams[round % streams.length] as (typeof streams)[number]
        const part = randomBytes(randomInt(round % 5 === 0 ? 50_000 : 300))
        stream.update(part)
        parts.push(part)
        if (round % 7 === 0) assert.equal(stream.digest(), expected(Buffer.concat(parts)), `round ${round}`)
      }
      for (const { stream, parts } of streams) assert.equal(stream.digest(), expected(Buffer.concat(parts)))
    })

    it('survives a message larger than its arena', () => {
      const bytes = randomBytes(300_001)
      const stream = make()
      stream.update(bytes)
      stream.update(bytes.subarray(0, 77))
      assert.equal(stream.digest(), expected(Buffer.concat([bytes, bytes.subarray(0, 77)])))
    })

    it('combines the checksums of two parts, whatever their lengths', () => {
      const bytes = randomBytes(3000)
      for (const cut of [0, 1, 1500, 2999, 3000]) {
        assert.equal(combine(bytes.subarray(0, cut), bytes.subarray(cut)), expected(bytes), `cut at ${cut}`)
      }
    })
  })
}

describe('combining checksums', () => {
  it('refuses a length that is no length', () => {
    for (const length of [-1, 0.5, Number.NaN, 2 ** 53]) {
      assert.throws(() => combineCrc64Nvme(1n, 2n, length), RangeError)
    }
  })
})
