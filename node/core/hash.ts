/**
 * The hash under slots and placement: MurmurHash3 x86 32 (Austin Appleby, public domain).
 *
 * Its values decide where keys live, so they must never change: published vectors and golden values hold it.
 * Not cryptographic; nothing here defends against chosen input, a crowded slot is slow and stays correct.
 */

const encoder = new TextEncoder()

/** The finaliser of MurmurHash3: a bijection of 32-bit words in which every input bit flips half of the output. */
export function mix32(word: number): number {
  let h = word | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** MurmurHash3_x86_32 of the text's UTF-8 bytes; an unsigned 32-bit integer. `seed`: unsigned 32 bits. */
export function hash32(text: string, seed = 0): number {
  const bytes = encoder.encode(text)
  const tail = bytes.length & ~3
  let h = seed | 0
  for (let at = 0; at < tail; at += 4) {
    const word =
      byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24)
    h ^= scramble(word)
    h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64
  }
  let last = 0
  for (let at = bytes.length - 1; at >= tail; at -= 1) last = (last << 8) | byte(bytes, at)
  if (tail < bytes.length) h ^= scramble(last)
  return mix32(h ^ bytes.length)
}

function scramble(word: number): number {
  const k = Math.imul(word, 0xcc9e2d51)
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593)
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}
