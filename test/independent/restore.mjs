// Restores a snapshot of a chainkeep repository. Written from FORMAT.md alone, whose sections are cited (§), and sharing
// nothing with chainkeep but the zstd decoder. Its limits: times are node's, exact to a microsecond (before 1970: to a
// millisecond); owners are numbers, and set by root only; no path may be longer than the kernel's; TARGET must be new, so
// that no symbolic link is on the way, and nobody else may work in it meanwhile.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as zlib from 'node:zlib'

const napi = zlib.zstdDecompressSync ? undefined : (await import('zstd-napi/binding.js')).default
const [CHUNK, LIST, TREE, SNAPSHOT, ATTRIBUTES] = [1, 2, 3, 4, 5] // §3
const [FILE, DIRECTORY, SYMLINK, FIFO, CHARACTER_DEVICE] = [1, 2, 3, 4, 5] // §7
const hash = (name, bytes) => createHash(name, { outputLength: 32 }).update(bytes).digest()
const show = (bytes) => JSON.stringify(String(bytes)) // names may hold anything, also what a terminal obeys
function check(condition, where, what) {
  if (!condition) throw new Error(`${where}: ${what}`)
}
function attempt(where, act) {
  try {
    act()
  } catch (error) {
    console.error(`${where}: ${error.message}`)
    process.exitCode = 1
  }
}
function readAt(path, length, offset) {
  const [bytes, fd] = [Buffer.alloc(length), fs.openSync(path, 'r')]
  const count = fs.readSync(fd, bytes, 0, length, offset)
  fs.closeSync(fd)
  check(count === length, `${path} at ${offset}`, `${count} bytes instead of ${length}`)
  return bytes
}

// §1: integers become numbers (bigints from 2^53 on), byte strings Buffers, maps Maps.
function decodeCbor({ bytes, where }) {
  let at = 0
  const need = (condition, what) => check(condition, `${where}, in its CBOR at ${at}`, what)
  const take = (length) => {
    need(length <= bytes.length - at, 'it ends too early')
    return bytes.subarray(at, (at += Number(length)))
  }
  const item = (depth) => {
    const [first] = take(1)
    const [major, info] = [first >> 5, first & 31]
    if (first >= 0xf4 && first <= 0xf6) return [false, true, null][info - 20]
    need(major < 6 && info < 28 && depth < 64, 'a tag, a float, an indefinite length, or too deep for the stack')
    const n = BigInt(info < 24 ? info : `0x${take(2 ** (info - 24)).toString('hex')}`)
    need(info < 24 || n >= [24n, 1n << 8n, 1n << 16n, 1n << 32n][info - 24], 'a number that is not the shortest')
    const signed = major === 1 ? -1n - n : n
    if (major < 2) return BigInt.asIntN(54, signed) === signed ? Number(signed) : signed
    if (major === 2) return take(n)
    if (major === 3) return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(take(n))
    const [array, map] = [[], new Map()]
    for (let i = 0, key = Buffer.alloc(0); i < n; i++) {
      const [start, value] = [at, item(depth + 1)]
      array.push(value)
      if (major === 4) continue
      need(Buffer.compare(key, (key = bytes.subarray(start, at))) < 0, 'keys out of order, or one twice')
      map.set(value, item(depth + 1))
    }
    return major === 4 ? array : map
  }
  const value = item(0)
  need(at === bytes.length, 'trailing bytes')
  return value
}
function checkConfig(path) {
  const bytes = fs.readFileSync(path) // §2
  const end = bytes.length - 32
  const isWhole = end >= 12 && bytes.toString('latin1', 0, 8) === 'CKCONFIG' && bytes.readUInt32LE(8) === end - 12
  check(isWhole, `${path} at 0`, 'not the config of a repository, or not all of it')
  check(hash('sha3-256', bytes.subarray(0, end)).equals(bytes.subarray(end)), `${path} at ${end}`, 'wrong checksum')
  const body = decodeCbor({ bytes: bytes.subarray(12, end), where: `${path} at 12` })
  const { version, 'read-features': features } = Object.fromEntries(body)
  check(version === 1 && features?.length === 0, `${path} at 12`, `unknown version ${version} or feature ${features}`)
}
// §3: `entry` is what the trailer of a pack says of the record from its byte 36 on; there is none for a snapshot.
function readRecord(path, offset, id, entry) {
  const [header, where] = [readAt(path, 32, offset), `${path} at ${offset}`]
  check(header.toString('latin1', 0, 4) === 'CKOB', where, 'no record')
  check(zlib.crc32(header.subarray(0, 28)) === header.readUInt32LE(28), where, "wrong CRC of a record's header")
  const fields = Buffer.concat([header.subarray(8, 16), header.subarray(4, 8)]) // as in an entry
  const isExpected = header.subarray(16, 24).equals(id.subarray(0, 8)) && (entry ?? fields).equals(fields)
  check(isExpected, where, 'another record than the trailer or the name says')
  const [kind, codec] = header.subarray(4, 6)
  const [flags, stored, plain] = [header.readUInt16LE(6), header.readUInt32LE(8), header.readUInt32LE(12)]
  const isStored = codec === 0 ? stored === plain : stored >= { 1: 1, 4: 9 }[codec] && stored < plain
  const areFieldsFine = flags === 0 && kind >= CHUNK && kind <= ATTRIBUTES && plain > 0 && plain <= 2 ** 24
  check(areFieldsFine && isStored, where, `an impossible record: ${kind}, ${codec}, ${flags}, ${stored}, ${plain}`)
  const bytes = readAt(path, stored, offset + 32)
  check(zlib.crc32(bytes) === header.readUInt32LE(24), where, 'wrong CRC of the stored bytes')
  const object = codec === 0 ? bytes : decompress(bytes, codec === 4 ? 8 : 0, plain, where)
  check(hash(kind === CHUNK ? 'sha3-256' : 'shake256', object).equals(id), where, 'the content does not have its id') // §1
  return { bytes: object, where, kind, stored }
}
function decompress(stored, key, plain, where) {
  const params = { [zlib.constants.ZSTD_d_windowLogMax]: 24 }
  try {
    const [frame, bytes] = [stored.subarray(key), Buffer.alloc(plain)]
    const node = zlib.zstdDecompressSync?.(frame, { maxOutputLength: plain, params, info: true }) // bounded, whatever it says
    const length = node ? node.buffer.copy(bytes) : new napi.DCtx().decompress(bytes, frame)
    const end = node ? node.engine.bytesWritten : napi.findFrameCompressedSize(frame)
    check(frame.readUInt32LE(0) === 0xfd2fb528 && end === frame.length && length === plain, end, 'wrong length')
    return key === 0 ? bytes : bytes.map((byte, i) => byte ^ stored[i % key])
  } catch (error) {
    throw new Error(`${where}: not one zstd frame of ${plain} bytes: ${error.message}`)
  }
}
// §4: where the packs have an object, by kind and id (the last place of several); and what link groups (§7) link to.
const [places, linked] = [new Map(), new Map()]
const keyOf = (kind, id) => String.fromCharCode(kind) + id.toString('latin1')
function readPack(path, name, packClass) {
  const { size } = fs.statSync(path)
  check(size >= 80 && size <= 2 ** 30, `${path} at 0`, `no pack can have ${size} bytes`)
  const [header, footer, atFooter] = [readAt(path, 16, 0), readAt(path, 64, size - 64), `${path} at ${size - 64}`]
  const signature = `CKPACK\x01${String.fromCharCode(packClass)}`
  check(header.toString('latin1', 0, 8) === signature, `${path} at 0`, 'no pack of version 1 and the right class')
  const [count, length] = [footer.readUInt32LE(0), footer.readUInt32LE(4)]
  const isFooter = footer.toString('latin1', 56) === 'CKPKEND\n' && footer.readUInt32LE(48) === 0
  const isWhole = zlib.crc32(footer.subarray(0, 52)) === footer.readUInt32LE(52)
  check(isFooter && isWhole, atFooter, 'no footer, or with a wrong CRC, or with unknown flags')
  const areLengths = length === 48 * count && length <= size - 80 && footer.readBigUInt64LE(8) === BigInt(size)
  check(areLengths, atFooter, 'wrong length of the pack or of its trailer')
  const trailer = readAt(path, length, size - 64 - length)
  const id = hash('sha3-256', Buffer.concat([header, trailer]))
  check(id.equals(footer.subarray(16, 48)) && id.toString('hex') === name, atFooter, 'wrong hash of trailer, or name')
  for (let at = 0; at < length; at += 48) {
    const [entry, offset] = [trailer.subarray(at + 36, at + 48), trailer.readUInt32LE(at + 32)]
    places.set(keyOf(entry[8], trailer.subarray(at, at + 32)), { path, offset, entry })
  }
}
function readPacks(folder, packClass) {
  for (const path of fs.readdirSync(folder, { recursive: true }))
    if (/^([0-9a-f]{2})\/\1[0-9a-f]{62}$/.test(path))
      attempt('passing over', () => readPack(`${folder}/${path}`, path.slice(3), packClass))
}
function load(kind, id, referrer) {
  const place = places.get(keyOf(kind, id))
  check(place, referrer, `object ${id.toString('hex')} of kind ${kind} is in no pack`)
  return readRecord(place.path, place.offset, id, place.entry)
}
// §6: the chunks of `length` bytes of a file.
function* chunksOf(height, id, length, referrer) {
  const { bytes, where } = load(height === 0 ? CHUNK : LIST, id, referrer)
  if (height === 0 && bytes.length === length) return yield bytes
  const n = bytes.length < 8 ? 0 : bytes.readUInt32LE(4)
  const isList = n >= 1 && n <= 256 && bytes.length === 8 + 40 * n && bytes.readUInt32LE(0) === height
  check(height > 0 && height <= 16 && isList, where, `not of height ${height} and length ${length}, as expected`)
  const lengths = Array.from({ length: n }, (_, i) => Number(bytes.readBigUInt64LE(8 + 32 * n + 8 * i)))
  check(lengths.reduce((a, b) => a + b) === length && !lengths.includes(0), where, `lengths other than ${length}`)
  for (let i = 0; i < n; i++) yield* chunksOf(height - 1, bytes.subarray(8 + 32 * i, 40 + 32 * i), lengths[i], where)
}

// §7: the entries of a directory. `said` is what the tree above says of this one, `order.last` the name before.
const COMMON = { name: 1, type: 2, mode: 3, mtime: 4, uid: 5, gid: 6, link: 9, attributes: 10, attributesId: 11 }
const OTHER = { size: 12, height: 13, content: 14, filters: 15, sparse: 16, tree: 18, target: 19, major: 20, minor: 21 }
const KEYS = Object.entries({ ...COMMON, ...OTHER })
const isName = (v) => Buffer.isBuffer(v) && !/^(|\.|\.\.|.*[/\0].*)$/s.test(v.toString('latin1'))
function* nodesOf(id, referrer, said, order = { last: Buffer.alloc(0) }) {
  const { bytes, where } = load(TREE, id, referrer)
  const [height, values] = decodeCbor({ bytes, where })
  const isHeight = height >= 0 && height <= 8 && height === (said?.height ?? height)
  const isTree = isHeight && values.length <= 512 && (values.length > 0 || (height === 0 && !said))
  check(isTree, where, `a tree of height ${height} with ${values.length} items`)
  const nodeOf = (map) => Object.fromEntries(KEYS.map(([name, key]) => [name, map.get(key)]))
  const items = values.map((v) => (height > 0 ? { name: v[0], id: v[1], count: v[2], height: height - 1 } : nodeOf(v)))
  const count = items.reduce((sum, item) => sum + (item.count ?? 1), 0)
  check(!said || (said.count === count && said.name.equals(items[0].name)), where, `not the tree ${referrer} says`)
  for (const item of items) {
    const isAllowed = isName(item.name) && item.filters === undefined && !(item.type > 6)
    check(isAllowed, where, `a node to be refused: ${show(item.name)}`)
    check(Buffer.compare(order.last, item.name) < 0, where, `names out of order, or twice: ${show(item.name)}`)
    if (height === 0) order.last = item.name
    yield* height === 0 ? [{ ...item, where }] : nodesOf(item.id, where, item, order)
  }
}

function writeFile(path, { size, height, content, sparse, where }) {
  fs.writeFileSync(path, '', { flag: 'wx', mode: 0o600 })
  let at = 0
  for (const bytes of size > 0 ? chunksOf(height, content, size, where) : [])
    for (let from = 0, step = sparse ? 4096 : bytes.length; from < bytes.length; from += step) {
      const part = bytes.subarray(from, from + step)
      at += part.length
      if (sparse && part.equals(Buffer.alloc(part.length))) fs.truncateSync(path, at)
      else fs.appendFileSync(path, part)
    }
  check(at === size, where, `a file of size ${size}`)
}
function run(command, args, input) {
  const { error, status, stderr } = spawnSync(command, args, { input }) // of paths, since node's arguments must be UTF-8
  check(!error && status === 0, command, error?.message ?? String(stderr).trim())
}
const octal = (bytes) => [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
function setMetadata(path, { type, mode, mtime, uid, gid, attributes = [], attributesId, where }) {
  if (process.geteuid() === 0) fs.lchownSync(path, uid, gid)
  const pairs = attributesId ? decodeCbor(load(ATTRIBUTES, attributesId, where)) : attributes
  const lines = pairs.map(([name, value]) => `${octal(name)}=0x${value.toString('hex')}\n`).join('')
  const restoration = `# file: ${octal(path)}\n${lines}\n`
  if (lines) attempt(`${show(path)}, left out`, () => run('setfattr', ['-h', '--restore=-'], restoration))
  if (type !== SYMLINK) fs.chmodSync(path, mode)
  const time = mtime < 0 ? new Date(Number(mtime) / 1e6) : Number(mtime) / 1e9 // node takes negative numbers for now
  if (mtime !== undefined) (type === SYMLINK ? fs.lutimesSync : fs.utimesSync)(path, time, time)
}
function restore(path, node) {
  const [{ type, link, target, major, minor }, group] = [node, node.link?.toString('hex')]
  if (linked.has(group)) return fs.linkSync(linked.get(group), path)
  if (type === FILE) writeFile(path, node)
  else if (type === DIRECTORY) restoreAll(path, node.tree, node.where)
  else if (type === SYMLINK) fs.symlinkSync(target, path)
  else if (type === FIFO) run('xargs', ['-0', 'mkfifo', '--'], path)
  else run('xargs', ['-0', '-I{}', 'mknod', '--', '{}', type === CHARACTER_DEVICE ? 'c' : 'b', major, minor], path)
  setMetadata(path, node)
  if (link) linked.set(group, path)
}
function restoreAll(directory, tree, referrer) {
  fs.mkdirSync(directory, 0o700) // fails if there is anything
  for (const node of nodesOf(tree, referrer)) {
    const path = Buffer.concat([directory, Buffer.from('/'), node.name])
    attempt(show(path), () => restore(path, node))
  }
}

// §12
process.on('uncaughtException', ({ message }) => process.exit(console.error(message) ?? 1))
const [repository, wanted, target, pathInSnapshot = ''] = process.argv.slice(2)
check(target, 'usage', 'restore.mjs REPOSITORY SNAPSHOT-ID-PREFIX|latest TARGET [PATH-IN-SNAPSHOT]')
checkConfig(`${repository}/config`)
readPacks(`${repository}/meta`, 2)
readPacks(`${repository}/data`, 1)
function readSnapshot(name) {
  const path = `${repository}/snapshots/${name}` // §8
  const { bytes, kind, stored } = readRecord(path, 0, Buffer.from(name, 'hex'))
  const { version, ...manifest } = Object.fromEntries(decodeCbor({ bytes, where: path }))
  const isSnapshot = kind === SNAPSHOT && fs.statSync(path).size === 32 + stored && version === 1
  check(isSnapshot, path, 'not a snapshot of version 1 and nothing else')
  return { name, path, ...manifest }
}
const isWanted = (name) => /^[0-9a-f]{64}$/.test(name) && (wanted === 'latest' || name.startsWith(wanted))
const found = fs.readdirSync(`${repository}/snapshots`).filter(isWanted).map(readSnapshot)
check(found.length === 1 || (wanted === 'latest' && found.length > 0), wanted, `${found.length} snapshots`)
let { name, tree, path: referrer, 'failure-count': left } = found.sort((a, b) => a.time - b.time).at(-1)
for (const part of pathInSnapshot.split('/').filter((part) => part !== '')) {
  const node = [...nodesOf(tree, referrer)].find(({ name }) => name.equals(Buffer.from(part)))
  check(node?.type === DIRECTORY, pathInSnapshot, `${part} is no directory of the snapshot`)
  ;({ tree, where: referrer } = node)
}
restoreAll(Buffer.from(target), tree, referrer)
console.log(`${name}: restored${process.exitCode ? ', but for what is said above' : ''}`)
if (left > 0) console.log(`the backup itself says that ${left} entries are missing or torn`)
