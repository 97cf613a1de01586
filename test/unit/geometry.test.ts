import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from '@node-rs/crc32'
import fc from 'fast-check'
import {
  cellBytesAt,
  dataBytesAt,
  framedBytes,
  framedOffset,
  framedShardBytes,
  frameTrailerBytes,
  geometryOf,
  locate,
  piecesAt,
  readTrailer,
  shardBytes,
  stripeOffset,
  stripesOf,
  writeTrailer,
} from '../../node/core/geometry.ts'

const shapes = fc
  .record({
    dataShards: fc.integer({ min: 1, max: 7 }),
    parityShards: fc.integer({ min: 0, max: 3 }),
    blockBytes: fc.integer({ min: 1, max: 8 }),
    blocks: fc.integer({ min: 1, max: 5 }),
    bytes: fc.integer({ min: 0, max: 400 }),
  })
  .map(({ blocks, ...shape }) => ({ ...shape, cellBytes: blocks * shape.blockBytes }))

/** The slow way: hands out bytes one at a time, cell by cell, in the order in which the writer fills them. */
function cellsByHand(shape: {
  bytes: number
  dataShards: number
  cellBytes: number
  blockBytes: number
}): { stripe: number; shard: number; cell: (number | undefined)[] }[] {
  const cells = []
  let next = 0
  for (let stripe = 0; next < shape.bytes; stripe += 1) {
    const left = shape.bytes - next
    let length = shape.cellBytes
    while (length - shape.blockBytes > 0 && (length - shape.blockBytes) * shape.dataShards >= left) {
      length -= shape.blockBytes
    }
    for (let shard = 0; shard < shape.dataShards; shard += 1) {
      const cell: (number | undefined)[] = []
      for (let at = 0; at < length; at += 1) cell.push(next < shape.bytes ? next++ : undefined)
      cells.push({ stripe, shard, cell })
    }
  }
  return cells
}

test('every byte lies where filling the cells one byte at a time puts it', () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const geometry = geometryOf(shape)
      const cells = cellsByHand(shape)
      assert.equal(geometry.stripeCount, cells.length / shape.dataShards)
      let perShard = 0
      for (const { stripe, shard, cell } of cells) {
        assert.equal(cellBytesAt(geometry, stripe), cell.length)
        if (shard === 0) perShard += cell.length
        cell.forEach((byte, offset) => {
          if (byte !== undefined) assert.deepEqual(locate(geometry, byte), { stripe, shard, offset })
        })
      }
      assert.equal(shardBytes(geometry), perShard)
      assert.equal(framedShardBytes(geometry), perShard + geometry.stripeCount * frameTrailerBytes)
    }),
    { numRuns: 300 },
  )
})

test('the pieces of a range are exactly its bytes, in order, one run per cell', () => {
  fc.assert(
    fc.property(shapes, fc.nat(), fc.nat(), (shape, a, b) => {
      fc.pre(shape.bytes > 0)
      const geometry = geometryOf(shape)
      const firstByte = Math.min(a % shape.bytes, b % shape.bytes)
      const lastByte = Math.max(a % shape.bytes, b % shape.bytes)
      const { firstStripe, stripeCount } = stripesOf(geometry, { firstByte, lastByte })
      const cells = cellsByHand(shape)
      let next = firstByte
      for (let stripe = 0; stripe < geometry.stripeCount; stripe += 1) {
        const pieces = piecesAt(geometry, stripe, { firstByte, lastByte })
        const inside = stripe >= firstStripe && stripe < firstStripe + stripeCount
        assert.equal(pieces.length > 0, inside)
        assert.equal(new Set(pieces.map((piece) => piece.shard)).size, pieces.length)
        for (const piece of pieces) {
          const cell = cells.find((each) => each.stripe === piece.stripe && each.shard === piece.shard)?.cell
          assert.equal(piece.blobOffset, next)
          for (let at = 0; at < piece.bytes; at += 1) assert.equal(cell?.[piece.offset + at], next++)
        }
      }
      assert.equal(next, lastByte + 1)
    }),
    { numRuns: 300 },
  )
})

test('framed runs of cells are as long as the cells with their trailers', () => {
  fc.assert(
    fc.property(shapes, (shape) => {
      const geometry = geometryOf(shape)
      const offsets = [0]
      for (let cell = 0; cell < geometry.stripeCount; cell += 1) {
        offsets.push((offsets[cell] ?? 0) + cellBytesAt(geometry, cell) + frameTrailerBytes)
      }
      offsets.forEach((offset, cell) => {
        assert.equal(framedOffset(geometry, cell), offset)
        for (let end = cell; end <= geometry.stripeCount; end += 1) {
          const bytes = framedBytes(geometry, { firstCell: cell, cellCount: end - cell })
          assert.equal(bytes, (offsets[end] ?? 0) - offset)
        }
      })
    }),
    { numRuns: 100 },
  )
})

test('an empty blob has no stripes, no cells and no bytes in its shards', () => {
  const geometry = geometryOf({ bytes: 0, dataShards: 4, parityShards: 2, cellBytes: 65_536, blockBytes: 64 })
  assert.equal(geometry.stripeCount, 0)
  assert.equal(shardBytes(geometry), 0)
  assert.equal(framedShardBytes(geometry), 0)
  assert.equal(framedBytes(geometry, { firstCell: 0, cellCount: 0 }), 0)
})

test('a blob of 5 TiB is measured exactly', () => {
  const bytes = 5 * 2 ** 40
  const geometry = geometryOf({ bytes, dataShards: 4, parityShards: 2, cellBytes: 262_144, blockBytes: 64 })
  assert.equal(geometry.stripeCount, 5 * 2 ** 20)
  assert.equal(shardBytes(geometry) * 4, bytes)
  assert.equal(
    stripeOffset(geometry, geometry.stripeCount - 1) + dataBytesAt(geometry, geometry.stripeCount - 1),
    bytes,
  )
})

test('one byte more than a full stripe adds a stripe of one block per shard', () => {
  const geometry = geometryOf({
    bytes: 4 * 1024 + 1,
    dataShards: 4,
    parityShards: 2,
    cellBytes: 1024,
    blockBytes: 64,
  })
  assert.equal(geometry.stripeCount, 2)
  assert.equal(cellBytesAt(geometry, 0), 1024)
  assert.equal(cellBytesAt(geometry, 1), 64)
  assert.equal(dataBytesAt(geometry, 1), 1)
})

test('shapes that no code has are refused', () => {
  const good = { bytes: 1, dataShards: 4, parityShards: 2, cellBytes: 1024, blockBytes: 64 }
  for (const bad of [
    { bytes: -1 },
    { bytes: 1.5 },
    { dataShards: 0 },
    { parityShards: -1 },
    { cellBytes: 1000 },
    { cellBytes: 0 },
    { blockBytes: 0 },
  ]) {
    assert.throws(() => geometryOf({ ...good, ...bad }), /invariant/)
  }
  const geometry = geometryOf(good)
  assert.throws(() => locate(geometry, 1), /invariant/)
  assert.throws(() => stripesOf(geometry, { firstByte: 0, lastByte: 1 }), /invariant/)
  assert.throws(() => cellBytesAt(geometry, 1), /invariant/)
})

test('a trailer is the little-endian CRC-32 from the cell index, then the length', () => {
  const cell = Buffer.from('123456789')
  assert.equal(crc32(cell, 0), 0xcbf43926)
  const frame = Buffer.alloc(cell.length + frameTrailerBytes)
  cell.copy(frame)
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  writeTrailer(view, cell.length, { crc: crc32(cell, 7), cellBytes: cell.length })
  assert.equal(frame.subarray(cell.length).toString('hex'), 'ef5495af09000000') // as Python's zlib.crc32(b'123456789', 7)
  assert.deepEqual(readTrailer(view, cell.length), { crc: crc32(cell, 7), cellBytes: 9 })
  assert.notEqual(crc32(cell, 7), crc32(cell, 8))
})
