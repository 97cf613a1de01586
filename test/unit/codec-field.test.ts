import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf, range } from '../../wasm/code.ts'
import { binaryField, type FieldWidth } from '../../wasm/field.ts'
import { invertMatrix, matrixOf, multiplyMatrices, rowsOf } from '../../wasm/matrix.ts'
import { slowMultiply } from '../../wasm/oracle.ts'

const POLYNOMIALS: Readonly<Record<FieldWidth, number>> = { 4: 0x13, 5: 0x25, 8: 0x11d }

for (const width of [4, 5, 8] as const) {
  const field = binaryField(width)
  const elements = range(0, field.size)
  const nonZero = elements.slice(1)

  describe(`GF(2^${width})`, () => {
    it('multiplies as polynomials do, for all pairs', () => {
      for (const a of elements) {
        for (const b of elements) {
          assert.equal(field.multiply(a, b), slowMultiply(a, b, { width, polynomial: POLYNOMIALS[width] }))
        }
      }
    })

    it('is a field: closed, commutative, with one and inverses, for all pairs', () => {
      for (const a of elements) {
        assert.equal(field.multiply(a, 1), a)
        assert.equal(field.multiply(a, 0), 0)
        for (const b of elements) {
          const product = field.multiply(a, b)
          assert.ok(product < field.size)
          assert.equal(product, field.multiply(b, a))
          assert.equal(product === 0, a === 0 || b === 0)
        }
      }
      for (const a of nonZero) assert.equal(field.multiply(a, field.invert(a)), 1)
      assert.throws(() => field.invert(0), RangeError)
    })

    it('is associative and distributive, for all triples of a generating set', () => {
      // Both laws are bilinear over XOR, so holding for the powers of two they hold for all elements.
      const basis = range(0, width).map((bit) => 1 << bit)
      for (const a of elements) {
        for (const b of elements) {
          for (const c of basis) {
            assert.equal(field.multiply(field.multiply(a, b), c), field.multiply(a, field.multiply(b, c)))
            assert.equal(field.multiply(a, b ^ c), field.multiply(a, b) ^ field.multiply(a, c))
          }
        }
      }
    })

    it('raises to powers by repeated multiplication', () => {
      for (const a of elements) {
        let power = 1
        for (let exponent = 0; exponent < 2 * field.size; exponent++) {
          assert.equal(field.power(a, exponent), power)
          power = field.multiply(power, a)
        }
      }
    })
  })
}

describe('matrices', () => {
  it('times their inverse are the identity, and singular ones have none', () => {
    const field = binaryField(8)
    const cauchy = matrixOf({ rows: 12, columns: 12 }, (row, column) => field.invert(row ^ (column + 12)))
    const inverse = invertMatrix(field, cauchy)
    assert.ok(inverse)
    const identity = matrixOf({ rows: 12, columns: 12 }, (row, column) => Number(row === column))
    assert.deepEqual(multiplyMatrices(field, cauchy, inverse), identity)
    assert.equal(
      invertMatrix(
        field,
        matrixOf({ rows: 2, columns: 2 }, () => 3),
      ),
      undefined,
    )
  })
})

describe('generators', () => {
  it('are MDS: every choice of k rows is regular, for all choices of the small codes', () => {
    for (const [dataShards, parityShards] of [
      [1, 4],
      [4, 2],
      [6, 3],
      [8, 4],
      [5, 5],
    ] as const) {
      for (const code of ['cauchy-xor', 'vandermonde-11d'] as const) {
        const { field, generator } = codeOf({ code, dataShards, parityShards })
        let choices = 0
        for (const rows of combinations(dataShards + parityShards, dataShards)) {
          choices++
          assert.ok(invertMatrix(field, rowsOf(generator, rows)), `${code} rows ${rows}`)
        }
        assert.ok(choices > 0)
      }
    }
  })

  it('of cauchy-xor have a first parity row of ones, so that one lost shard is a plain XOR', () => {
    for (const [dataShards, parityShards] of [
      [4, 2],
      [17, 3],
      [40, 5],
    ] as const) {
      const { generator } = codeOf({ code: 'cauchy-xor', dataShards, parityShards })
      assert.ok(rowsOf(generator, [dataShards]).cells.every((entry) => entry === 1))
    }
  })
})

function* combinations(count: number, size: number, from = 0): Generator<number[]> {
  if (size === 0) {
    yield []
    return
  }
  for (let first = from; first <= count - size; first++) {
    for (const rest of combinations(count, size - 1, first + 1)) yield [first, ...rest]
  }
}
