/**
 * The real disk beneath shard files: direct I/O for their bytes, plain calls for names and directories.
 */
import fs from 'node:fs'
import { createDirect, openDirect } from './shard-files-direct.ts'
import { type Disk, settled } from './shard-files-disk.ts'

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
    const directory = await fs.promises.open(path, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  },
  freeBytes: async (path) => {
    const { bavail, bsize } = await fs.promises.statfs(path)
    return bavail * bsize
  },
}
