/**
 * The real disk beneath shard files: direct I/O for their bytes, plain calls for names and directories.
 */
import fs from 'node:fs'
import { createDirect, openDirect } from './shard-files-direct.ts'
import { type Disk, openFd, settled } from './shard-files-disk.ts'

/** Open folders: a store has some 260, for the life of its process; opening one for each sync costs twice the sync. */
const directories = new Map<string, Promise<number>>()

function directoryFd(path: string): Promise<number> {
  let opening = directories.get(path)
  if (opening === undefined) {
    opening = openFd(path, fs.constants.O_RDONLY)
    directories.set(path, opening)
    opening.catch(() => directories.delete(path))
  }
  return opening
}

export const realDisk: Disk = {
  create: createDirect,
  open: openDirect,
  rename: (from, to) => settled((done) => fs.rename(from, to, done)),
  unlink: (path) => settled((done) => fs.unlink(path, done)),
  list: (path) => fs.promises.readdir(path),
  makeDirectory: async (path) => {
    await fs.promises.mkdir(path, { recursive: true, mode: 0o700 })
  },
  syncDirectory: async (path) => {
    const fd = await directoryFd(path)
    await settled((done) => fs.fsync(fd, done))
  },
  freeBytes: async (path) => {
    const { bavail, bsize } = await fs.promises.statfs(path)
    return bavail * bsize
  },
}
