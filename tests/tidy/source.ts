// What the house rules need to know of a file, from a parser: what it imports, which names it uses that it may have from
// outside, and what it exports. A scanner of our own had overlooked an import after a string and a clock after a pattern.
import { parseSync } from "oxc-parser";

export type Import = {
  /** null = computed: nobody can say what it is. */
  readonly name: string | null;
  readonly line: number;
};

/** A name used as a value or a type, with what is reached through it: `test.concurrent.only(…)` → test, [concurrent, only]. */
export type Mention = {
  readonly name: string;
  /** null = computed. */
  readonly members: readonly (string | null)[];
  readonly line: number;
};

export type Source = {
  /** Static, type-only, re-exported, dynamic and required modules. */
  readonly imports: readonly Import[];
  readonly mentions: readonly Mention[];
  /** Properties that are reached on anything, like `localeCompare`. */
  readonly reached: readonly Mention[];
  /** Lines of `export default` and `export {x as default}`. */
  readonly defaults: readonly number[];
  /** Lines with the type `any`. */
  readonly anys: readonly number[];
};

type Node = { readonly type: string; readonly start: number; readonly [field: string]: unknown };

export function readSource(path: string, text: string): Source {
  const { program, errors } = parseSync(path, text);
  if (errors[0] !== undefined) throw new Error(`${path} cannot be read: ${errors[0].message}`);
  const found = {
    imports: new Array<Import>(),
    mentions: new Array<Mention>(),
    reached: new Array<Mention>(),
    defaults: new Array<number>(),
    anys: new Array<number>(),
  };
  const lineEnds = [...text.matchAll(/\n/g)].map(({ index }) => index);
  const above: Node[] = [];

  const visit = (node: Node) => {
    const parent = above.at(-1);
    const line = () => firstAtLeast(lineEnds, node.start) + 1;
    if (node.type === "ImportExpression" || node.type === "TSImportType" || isDeclarationWithSource(node)) {
      found.imports.push({ name: literal(node["source"]), line: line() });
    } else if (node.type === "CallExpression" && nameOf(node["callee"]) === "require") {
      found.imports.push({ name: literal((node["arguments"] as unknown[])[0]), line: line() });
    } else if (node.type === "TSExternalModuleReference") {
      found.imports.push({ name: literal(node["expression"]), line: line() });
    } else if (node.type === "MetaProperty") {
      found.mentions.push({ name: "import.meta", members: membersOf(node, above), line: line() });
    } else if (node.type === "Identifier" && parent !== undefined && isUse(node, parent)) {
      const name = nameOf(node) ?? "";
      const parts = takenApart(node, parent);
      if (parts === null) found.mentions.push({ name, members: membersOf(node, above), line: line() });
      else found.mentions.push(...parts.map((part) => ({ name, members: [part], line: line() })));
    } else if (node.type === "MemberExpression") {
      found.reached.push({ name: memberOf(node) ?? "", members: [], line: line() });
    } else if (node.type === "TSAnyKeyword") {
      found.anys.push(line());
    } else if (
      node.type === "ExportDefaultDeclaration" ||
      node.type === "ExportSpecifier" && nameOf(node["exported"]) === "default"
    ) {
      found.defaults.push(line());
    }
    above.push(node);
    for (const child of children(node)) visit(child);
    above.pop();
  };
  visit(program as unknown as Node);
  return found;
}

/** How many of the ascending numbers are below `bound`. */
function firstAtLeast(numbers: readonly number[], bound: number): number {
  let low = 0;
  for (let high = numbers.length; low < high;) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function children(node: Node): Node[] {
  return Object.values(node).flatMap((value) => Array.isArray(value) ? value : [value]).filter(isNode);
}

function isDeclarationWithSource({ type, source }: Node): boolean {
  return /^(Import|ExportAll|ExportNamed)Declaration$/.test(type) && isNode(source);
}

/** The text of a literal; of a template, where nothing is put in. */
function literal(value: unknown): string | null {
  if (!isNode(value)) return null;
  if (value.type === "Literal") return typeof value["value"] === "string" ? value["value"] : null;
  const quasis = value.type === "TemplateLiteral" ? value["quasis"] as Node[] : [];
  return quasis.length === 1 ? (quasis[0]?.["value"] as { readonly cooked: string }).cooked : null;
}

function nameOf(value: unknown): string | null {
  if (!isNode(value)) return null;
  return value.type === "Identifier" ? value["name"] as string : literal(value);
}

function memberOf(member: Node): string | null {
  return member["computed"] === true ? literal(member["property"]) : nameOf(member["property"]);
}

/** Whether an identifier stands for something, rather than naming a property, a label, or what another module calls it. */
function isUse(node: Node, parent: Node): boolean {
  if (parent["computed"] === true) return true;
  switch (parent.type) {
    case "MemberExpression":
      return parent["object"] === node;
    case "Property":
      return parent["value"] === node;
    case "TSQualifiedName":
      return parent["left"] === node;
    case "ImportSpecifier":
      return parent["local"] === node;
    case "ExportSpecifier":
      return parent["local"] === node;
    case "MethodDefinition":
    case "PropertyDefinition":
    case "AccessorProperty":
    case "TSPropertySignature":
    case "TSMethodSignature":
    case "TSAbstractPropertyDefinition":
    case "TSAbstractMethodDefinition":
      return parent["key"] !== node;
    case "TSEnumMember":
      return parent["id"] !== node;
    case "MetaProperty":
    case "ImportAttribute":
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
    case "TSNamedTupleMember":
      return false;
    default:
      return true;
  }
}

/** `const {random: roll, ...rest} = Math` reaches random, and then nobody knows what (null). */
function takenApart(node: Node, parent: Node): (string | null)[] | null {
  const pattern = parent.type === "VariableDeclarator" && parent["init"] === node ? parent["id"] : null;
  if (!isNode(pattern) || pattern.type !== "ObjectPattern") return null;
  return (pattern["properties"] as Node[]).map((property) =>
    property["computed"] === true ? literal(property["key"]) : nameOf(property["key"])
  );
}

/** What is reached through a name, outwards: through calls, brackets and assertions too. */
function membersOf(node: Node, above: readonly Node[]): (string | null)[] {
  const members: (string | null)[] = [];
  let inner = node;
  for (const outer of above.toReversed()) {
    if (outer.type === "MemberExpression" && outer["object"] === inner) members.push(memberOf(outer));
    else if (
      !(outer["callee"] === inner || outer["expression"] === inner && outer.type !== "ExpressionStatement")
    ) {
      break;
    }
    inner = outer;
  }
  return members;
}
