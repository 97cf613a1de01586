/**
 * Small files that are replaced as a whole: temp file, fsync, rename, fsync of the directory.
 *
 * Invariant: a reader sees the old bytes or the new ones, after any crash too. Leaves to others: what is in them.
 */
import { randomBytes } from 'node:crypto'
import { link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Puts `content` at `path`; resolves when that survives a power loss. Throws what the file system throws.
 *
 * `mode`: permissions, default 0600. `exclusive`: an existing file is left alone and the result is false.
 */
export async function writeFileDurably(
  path: string,
  content: string | Uint8Array,
  options: { mode?: number; exclusive?: boolean } = {},
): Promise<boolean> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  let created: boolean
  try {
    const file = await open(temporary, 'wx', options.mode ?? 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    created = options.exclusive ? await linkAsNew(temporary, path) : await renameOver(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
  return created
}

async function renameOver(temporary: string, path: string): Promise<boolean> {
  await rename(temporary, path)
  return true
}

/** A hard link fails when the name is taken, which rename does not. */
async function linkAsNew(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
}
