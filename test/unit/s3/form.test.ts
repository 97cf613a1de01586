import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { gatewayLimits } from '../../../gateway/limits.ts'
import { type ByteReader, FormReader, parseBoundary } from '../../../gateway/s3/form.ts'
import { codeOf, codeOfPromise } from './s3-error-of.ts'

/** Hands out `body` in pieces whose sizes repeat. */
function source(body: Buffer, sizes: readonly number[] = [body.length]): ByteReader {
  let at = 0
  let turn = 0
  return {
    read: async () => {
      if (at >= body.length) return undefined
      const size = Math.max(1, sizes[turn++ % sizes.length] ?? 1)
      const piece = body.subarray(at, at + size)
      at += piece.length
      return piece
    },
  }
}

interface Part {
  readonly head: string
  readonly data: Buffer | string
}

function formOf(boundary: string, parts: readonly Part[], end = '--\r\n'): Buffer {
  const pieces = parts.flatMap(({ head, data }) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`),
    Buffer.from(data),
    Buffer.from('\r\n'),
  ])
  return Buffer.concat([...pieces, Buffer.from(`--${boundary}${end}`)])
}

const field = (name: string, data: string | Buffer): Part => ({ head: `name="${name}"`, data })
const fileOf = (data: Buffer | string, name = 'f.bin'): Part => ({
  head: `name="file"; filename="${name}"\r\nContent-Type: video/mp4`,
  data,
})

const limits = gatewayLimits

async function readAll(body: Buffer, sizes?: readonly number[], boundary = 'B') {
  const reader = new FormReader(source(body, sizes), { boundary, bodyBytes: body.length, limits })
  const { fields, fileName } = await reader.readFields()
  const bytesMax = reader.fileBytesMax
  const pieces: Buffer[] = []
  for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) pieces.push(piece)
  assert.ok(pieces.every((piece) => piece.length > 0))
  assert.equal(await reader.read(), undefined)
  return { fields: Object.fromEntries(fields), fileName, bytesMax, file: Buffer.concat(pieces) }
}

test('a form is its fields in lower case and its file, whatever the pieces it arrives in', async () => {
  // Files made of what delimiters are made of, so that false beginnings are the rule.
  const content = fc.array(fc.constantFrom('\r', '\n', '-', '--B', '\r\n--', '\r\n--A', 'x'), {
    maxLength: 40,
  })
  await fc.assert(
    fc.asyncProperty(
      content,
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
      fc.constantFrom(
        '--',
        '--\r\n',
        '--\r\nepilogue',
        '\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n--B--',
      ),
      async (words, sizes, end) => {
        const file = Buffer.from(words.join(''))
        fc.pre(!file.includes('\r\n--B'))
        const body = formOf('B', [field('Key', 'kamera/ü.mp4'), field('empty', ''), fileOf(file)], end)
        const read = await readAll(body, sizes)
        assert.deepEqual(read.fields, { key: 'kamera/ü.mp4', empty: '' })
        assert.equal(read.fileName, 'f.bin')
        assert.deepEqual(read.file, file)
        assert.equal(read.bytesMax, file.length + end.length - 2)
      },
    ),
    { numRuns: 500 },
  )
})

test('a large file comes in the pieces that arrive, not copied', async () => {
  const file = Buffer.alloc(1_000_000, 'x')
  const body = formOf('B', [fileOf(file)])
  const reader = new FormReader(source(body, [65_536]), { boundary: 'B', bodyBytes: body.length, limits })
  await reader.readFields()
  let bytes = 0
  for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) {
    assert.ok(piece.length <= 65_536)
    // The first came with the fields, which were collected.
    assert.ok(bytes === 0 || piece.buffer === body.buffer, 'a slice of what came')
    bytes += piece.length
  }
  assert.equal(bytes, file.length)
})

test('names of files lose their folders, and may be quoted, escaped or extended', async () => {
  const nameOf = async (head: string) =>
    (await readAll(formOf('B', [{ head: `name=file; ${head}`, data: '' }]))).fileName
  assert.equal(await nameOf('filename="C:\\Bilder\\tatort 1.jpg"'), 'tatort 1.jpg')
  assert.equal(await nameOf('filename="/home/a/b.jpg"'), 'b.jpg')
  assert.equal(await nameOf('filename="a\\"b.jpg"'), 'a"b.jpg')
  assert.equal(await nameOf('filename="C:\\Bilder\\"'), '')
  assert.equal(await nameOf('filename=plain.jpg'), 'plain.jpg')
  assert.equal(await nameOf("filename=x; filename*=UTF-8''%C3%BC.jpg"), 'ü.jpg')
  assert.equal(await nameOf('filename="ü.jpg"'), 'ü.jpg')
  assert.equal(await nameOf('x=y'), '')
})

test('what is no form, or no whole one, is refused', async () => {
  const code = (body: string | Buffer) => codeOfPromise(readAll(Buffer.from(body)))
  const whole = formOf('B', [field('key', 'k'), fileOf('data')]).toString('latin1')
  assert.equal(await code(whole), 'no error')
  for (let end = 0; end < whole.lastIndexOf('--B--') + 3; end++) {
    assert.equal(await code(whole.slice(0, end)), 'MalformedPOSTRequest', whole.slice(0, end))
  }
  assert.equal(await code(formOf('B', [field('key', 'k')])), 'InvalidArgument')
  assert.equal(
    await code(formOf('B', [field('a', 'k'), field('A', 'l'), fileOf('')])),
    'MalformedPOSTRequest',
  )
  assert.equal(await code(formOf('B', [field('a', Buffer.from([0xff])), fileOf('')])), 'MalformedPOSTRequest')
  assert.equal(await code(formOf('B', [field('', 'k'), fileOf('')])), 'MalformedPOSTRequest')
  assert.equal(await code('--B\r\n\r\nx\r\n--B--'), 'MalformedPOSTRequest')
  assert.equal(
    await code('--B\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n--B--'),
    'MalformedPOSTRequest',
  )
  assert.equal(await code('--Bx\r\n'), 'MalformedPOSTRequest')
  assert.equal(
    await code(formOf('B', [{ head: "name=file; filename*=utf-8''%zz", data: '' }])),
    'MalformedPOSTRequest',
  )
})

test('the fields before a file are bounded, in one piece or in many', async () => {
  const large = formOf('B', [field('key', 'k'.repeat(limits.formFieldsBytesMax)), fileOf('x')])
  assert.equal(await codeOfPromise(readAll(large)), 'MaxPostPreDataLengthExceeded')
  assert.equal(await codeOfPromise(readAll(large, [100])), 'MaxPostPreDataLengthExceeded')
  const endless: ByteReader = { read: async () => Buffer.alloc(1024, 'x') }
  const reader = new FormReader(endless, { boundary: 'B', bodyBytes: 1e12, limits })
  assert.equal(await codeOfPromise(reader.readFields()), 'MaxPostPreDataLengthExceeded')
})

test('a boundary is what RFC 2046 allows', () => {
  assert.equal(parseBoundary('multipart/form-data; boundary=abc'), 'abc')
  assert.equal(parseBoundary('Multipart/Form-Data; charset=x; Boundary="a b"'), 'a b')
  const code = (type: string | undefined) => codeOf(() => parseBoundary(type))
  assert.equal(code(undefined), 'RequestIsNotMultiPartContent')
  assert.equal(code('application/xml'), 'RequestIsNotMultiPartContent')
  assert.equal(code('multipart/form-data'), 'MalformedPOSTRequest')
  assert.equal(code(`multipart/form-data; boundary=${'a'.repeat(71)}`), 'MalformedPOSTRequest')
  assert.equal(code('multipart/form-data; boundary='), 'MalformedPOSTRequest')
})
