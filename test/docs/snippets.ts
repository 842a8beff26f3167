import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import * as siltstone from '../../src/index.js'
import * as shard from '../../src/shard.js'

/** TypeScript that a reader may copy: the blocks of one page in their order, or one example of a comment. */
export interface Snippet {
  /** File, and line where it is not the whole file. */
  readonly name: string
  readonly code: string
}

/** What an example finds around it, as who reads it would suppose. */
interface Surroundings {
  readonly folders: readonly string[]
  /** With a store in './data' and a backup in './backups'. */
  readonly imports: string
  /** Where the example does not make its own `db` or `store`. */
  readonly before: string
  readonly after: string
}

const SURROUNDINGS: readonly Surroundings[] = [
  {
    folders: ['src/bytes', 'src/store'],
    imports: `import { ${Object.keys(siltstone).join(', ')} } from 'siltstone'
      const made = await open('./data')
      await backup(made, './backups')
      await made.close()`,
    before: "const db = await open('./its-own'); const order = '12 apples'",
    after: 'await db.close()',
  },
  {
    folders: ['src/queue'],
    imports: `import { open } from 'siltstone'
      interface Order { readonly id?: number; readonly total: number }
      interface Payment { readonly amount: number }
      const charge = async ({ amount }: Payment) => amount`,
    before: `const db = await open('./its-own')
      const log = db.log('events')
      await log.append('it began')
      const q = db.queue<unknown>('jobs')
      await q.send({ order: 1 })
      const message = (await q.receive())[0]!
      const orders = db.topic<Order>('orders')
      await orders.publish({ total: 12 })
      const sub = orders.subscribe('mine', { from: 'earliest' })`,
    after: 'await db.close()',
  },
  {
    folders: ['src/faces/level'],
    imports: `import { open } from 'siltstone'
      import { SiltstoneLevel, storeOf } from 'siltstone/level'
      await (await open('./data')).close()`,
    before: "const db = new SiltstoneLevel('./its-own'); await db.open(); const level = db",
    after: 'await db.close()',
  },
  {
    folders: ['src/faces/keyv'],
    imports: `import Keyv from 'keyv'
      import { KeyvSiltstone } from 'siltstone/keyv'`,
    before: '',
    after: '',
  },
  {
    folders: ['src/faces/unstorage'],
    imports: `import { createStorage } from 'unstorage'
      import { siltstoneDriver } from 'siltstone/unstorage'`,
    before: '',
    after: '',
  },
  {
    folders: ['src/faces/import'],
    imports: `import { open } from 'siltstone'
      import { importLevel } from 'siltstone/level'
      import { ClassicLevel } from 'classic-level'
      const made = new ClassicLevel('./old')
      await made.put('user:1', 'ada')
      await made.close()`,
    before: "const db = await open('./its-own')",
    after: 'await db.close()',
  },
  {
    folders: ['src/shard'],
    imports: `import { ${Object.keys(shard).join(', ')} } from 'siltstone/shard'`,
    before: "const store = await openSharded('./its-own', { shards: ['a', 'b', 'c'] })",
    after: 'await store.close()',
  },
]

function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/**
 * README and every page below docs/: the blocks of a page share one scope. The blocks of docs/api are examples of comments, each with a
 * scope of its own.
 */
export function pages(): Snippet[] {
  return ['README.md', ...filesBelow('docs', '.md').filter((name) => !name.startsWith(join('docs', 'api')))]
    .map((name) => {
      const blocks = [...readFileSync(name, 'utf8').matchAll(/^```(?:ts|js)\n(.*?)^```$/gms)]
      return { name, code: blocks.map(([, code]) => code).join('\n') }
    })
    .filter(({ code }) => code !== '')
}

/** An example of a comment, and as it stands there. */
export interface Example extends Snippet {
  readonly example: string
}

/** Every `@example` of what is in src/. */
export function examples(): Example[] {
  return filesBelow('src', '.ts').flatMap((file) => {
    const text = readFileSync(file, 'utf8')
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
    const found: Example[] = []
    const visit = (node: ts.Node): void => {
      for (const doc of (node as { jsDoc?: ts.JSDoc[] }).jsDoc ?? []) {
        for (const tag of doc.tags ?? []) {
          if (tag.tagName.text !== 'example') continue
          const line = source.getLineAndCharacterOfPosition(tag.pos).line + 1
          const example = ts.getTextOfJSDocComment(tag.comment) ?? ''
          found.push({ name: `${file}:${line}`, example, code: inSurroundings(file, example) })
        }
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
    return found
  })
}

function inSurroundings(file: string, example: string): string {
  const around = SURROUNDINGS.find(({ folders }) => folders.some((folder) => file.startsWith(`${folder}/`)))
  if (around === undefined) throw new Error(`${file} has examples, and nobody has said what they find around them`)
  const { imports, before, after } = around
  const bare = /\bconst (db|store)\b/.test(example)
  return `${imports}
    interface User { readonly name?: string; readonly born?: number }
    ${bare ? '' : before}
    {
      ${example}
    }
    ${bare ? '' : after}`
}

/** The snippet with every value that a comment behind a statement promises checked. */
export function checked({ code }: Snippet): string {
  const source = ts.createSourceFile('snippet.ts', code, ts.ScriptTarget.Latest, true)
  const insertions: { at: number; text: string }[] = []
  const visit = (node: ts.Node): void => {
    const promised = ts.isExpressionStatement(node) || ts.isVariableStatement(node) ? promise(code, node) : undefined
    if (promised !== undefined) {
      const [actual] = ts.isVariableStatement(node) ? node.declarationList.declarations : []
      if (actual !== undefined && ts.isIdentifier(actual.name)) {
        insertions.push({ at: node.end, text: `; check(${actual.name.text}, ${promised})` })
      } else if (ts.isExpressionStatement(node)) {
        const { start, end } = shown(node.expression)
        insertions.push({ at: start, text: 'check(' }, { at: end, text: `, ${promised})` })
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  let text = code
  for (const { at, text: inserted } of insertions.sort((a, b) => b.at - a.at)) {
    text = text.slice(0, at) + inserted + text.slice(at)
  }
  return `import { deepStrictEqual } from 'node:assert'
    function check<T>(actual: T, expected: unknown): T { deepStrictEqual(actual, expected); return actual }
    ${text}`
}

/** What a statement shows: of \`console.log(value)\` the value. */
function shown(expression: ts.Expression): { start: number; end: number } {
  const isLog = ts.isCallExpression(expression) && expression.expression.getText() === 'console.log'
  const node = isLog ? expression.arguments[0]! : expression
  return { start: node.getStart(), end: node.end }
}

/** The literal at the beginning of the comment behind a statement, up to its end or to a comma. */
function promise(code: string, node: ts.Node): string | undefined {
  const [comment] = ts.getTrailingCommentRanges(code, node.end) ?? []
  if (comment === undefined) return undefined
  const words = code
    .slice(comment.pos + 2, comment.end)
    .trim()
    .split(/(?=, )/)
  for (let count = words.length; count > 0; count--) {
    const text = words.slice(0, count).join('')
    if (isLiteral(text)) return text
  }
  return undefined
}

function isLiteral(text: string): boolean {
  const source = ts.createSourceFile('literal.ts', `(${text})`, ts.ScriptTarget.Latest, true)
  const [statement] = source.statements
  const { parseDiagnostics } = source as unknown as { parseDiagnostics: unknown[] }
  if (parseDiagnostics.length > 0 || source.statements.length !== 1 || !ts.isExpressionStatement(statement!))
    return false
  const plain = (node: ts.Expression): boolean => {
    if (ts.isParenthesizedExpression(node)) return plain(node.expression)
    if (ts.isArrayLiteralExpression(node)) return node.elements.every(plain)
    if (ts.isObjectLiteralExpression(node)) {
      return node.properties.every((property) => ts.isPropertyAssignment(property) && plain(property.initializer))
    }
    if (ts.isIdentifier(node)) return node.text === 'undefined'
    const { kind } = node
    return (
      ts.isStringLiteral(node) ||
      ts.isNumericLiteral(node) ||
      [ts.SyntaxKind.TrueKeyword, ts.SyntaxKind.FalseKeyword, ts.SyntaxKind.NullKeyword].includes(kind)
    )
  }
  return plain(statement.expression)
}
