import ts from 'typescript'

/** A piece of TypeScript as it is shown, and the symbols its names stand for. */
export interface Wording {
  readonly text: string
  readonly names: ReadonlyMap<string, ts.Symbol>
}

const LONGEST_LINE = 100

/** Words declarations as their authors wrote them: no bodies, no comments, no names of a namespace. */
export class Wordings {
  private readonly checker: ts.TypeChecker

  constructor(checker: ts.TypeChecker) {
    this.checker = checker
  }

  /** A type as it stands in the source, on one line. */
  ofType(node: ts.TypeNode): Wording {
    const names = new Map<string, ts.Symbol>()
    return { text: this.typeText(node, names), names }
  }

  /** The source of a whole declaration, comments and lines included. */
  ofSource(node: ts.Node): Wording {
    const names = new Map<string, ts.Symbol>()
    this.collect(node, names)
    // What is for the linter is not for the reader.
    const text = node.getText().replace(/^ *\/\/ biome-ignore.*\n/gm, '')
    return { text: text.replace(/^export /, ''), names }
  }

  /** `readonly name?: type` of a property or accessor, without the name. */
  ofProperty(symbol: ts.Symbol, node: ts.Declaration): Wording {
    const typed = node as { type?: ts.TypeNode }
    if (typed.type !== undefined) return this.ofType(typed.type)
    return { text: this.inferred(this.checker.getTypeOfSymbolAtLocation(symbol, node)), names: new Map() }
  }

  /** `name<T>(a: A, b?: B): C`. */
  ofCall(name: string, node: ts.SignatureDeclaration): Wording {
    const names = new Map<string, ts.Symbol>()
    const generics = node.typeParameters?.map((each) => this.typeText(each, names)) ?? []
    const parameters = node.parameters.map((each) => this.parameterText(each, names))
    const head = `${name}${generics.length === 0 ? '' : `<${generics.join(', ')}>`}`
    const result = ts.isConstructorDeclaration(node) ? '' : `: ${this.resultText(node, names)}`
    const text = `${head}(${parameters.join(', ')})${result}`
    if (text.length <= LONGEST_LINE) return { text, names }
    return { text: `${head}(\n${parameters.map((each) => `  ${each},\n`).join('')})${result}`, names }
  }

  private parameterText(node: ts.ParameterDeclaration, names: Map<string, ts.Symbol>): string {
    const dots = node.dotDotDotToken === undefined ? '' : '...'
    const name = ts.isIdentifier(node.name) ? node.name.text : 'options'
    const mark = node.questionToken !== undefined || node.initializer !== undefined ? '?' : ''
    const type =
      node.type === undefined ? this.inferred(this.checker.getTypeAtLocation(node)) : this.typeText(node.type, names)
    return `${dots}${name}${mark}: ${type}`
  }

  private resultText(node: ts.SignatureDeclaration, names: Map<string, ts.Symbol>): string {
    if (node.type !== undefined) return this.typeText(node.type, names)
    const signature = this.checker.getSignatureFromDeclaration(node)!
    return this.inferred(signature.getReturnType())
  }

  /** A type that nobody has written down. */
  private inferred(type: ts.Type): string {
    return this.checker.typeToString(type).replace(/"/g, "'")
  }

  private typeText(node: ts.Node, names: Map<string, ts.Symbol>): string {
    this.collect(node, names)
    const printer = ts.createPrinter({ removeComments: true })
    return printer
      .printNode(ts.EmitHint.Unspecified, node, node.getSourceFile())
      .replace(/\bOptions\./g, '')
      .replace(/;(\s*\})/g, '$1')
      .replace(/"/g, "'")
      .replace(/\s+/g, ' ')
      .trim()
  }

  /** The symbols behind the names that a node mentions. */
  private collect(node: ts.Node, names: Map<string, ts.Symbol>): void {
    if (ts.isIdentifier(node)) {
      const symbol = this.checker.getSymbolAtLocation(node)
      if (
        symbol !== undefined &&
        (ts.isTypeReferenceNode(node.parent) ||
          ts.isQualifiedName(node.parent) ||
          ts.isExpressionWithTypeArguments(node.parent) ||
          ts.isTypeQueryNode(node.parent))
      ) {
        names.set(node.text, meant(this.checker, symbol))
      }
    }
    ts.forEachChild(node, (child) => this.collect(child, names))
  }
}

/** What an imported name stands for. */
export function meant(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}
