// Reads TypeScript roughly, as far as the house rules need it: code without comments and strings, and what it imports.

/** The code with comments removed and the insides of strings, templates and regular expressions blanked; lines are kept. */
export function codeOnly(source: string): string {
  let out = "";
  let at = 0;
  /** Depths of `{` at which a template literal goes on. */
  const templates: number[] = [];
  let depth = 0;

  const quoted = (end: string) => {
    at++;
    while (at < source.length && source[at] !== end) {
      if (end === "`" && source.startsWith("${", at)) {
        templates.push(depth++);
        at += 2;
        out += " ";
        return;
      }
      if (source[at] === "\n") out += "\n";
      at += source[at] === "\\" ? 2 : 1;
    }
    at++;
    out += '""';
  };

  while (at < source.length) {
    const char = source[at] ?? "";
    if (source.startsWith("//", at)) {
      while (at < source.length && source[at] !== "\n") at++;
    } else if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at + 2);
      const comment = source.slice(at, end < 0 ? source.length : end + 2);
      out += comment.replace(/[^\n]/g, "");
      at += comment.length;
    } else if (char === '"' || char === "'" || char === "`") {
      quoted(char);
    } else if (char === "}" && templates.at(-1) === depth - 1) {
      depth = templates.pop() ?? 0;
      quoted("`");
    } else if (char === "/" && /(^|[(,=:[!&|?{};]|\breturn)\s*$/.test(out.slice(-20))) {
      regularExpression();
    } else {
      if (char === "{") depth++;
      if (char === "}") depth--;
      out += char;
      at++;
    }
  }
  return out;

  function regularExpression(): void {
    let inClass = false;
    at++;
    while (at < source.length && source[at] !== "\n" && (inClass || source[at] !== "/")) {
      if (source[at] === "[") inClass = true;
      if (source[at] === "]") inClass = false;
      at += source[at] === "\\" ? 2 : 1;
    }
    at++;
    out += '""';
  }
}

/** Every module that is named: static, type-only, re-exported and dynamic imports. */
export function importsOf(source: string): string[] {
  const withoutComments = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const names: string[] = [];
  const forms = [
    /^\s*(?:import|export)\b[^"';]*?\bfrom\s*["']([^"']+)["']/gm,
    /^\s*import\s*["']([^"']+)["']/gm,
    /\bimport\s*\(\s*["']([^"']+)["']/g,
  ];
  for (const form of forms) {
    for (const match of withoutComments.matchAll(form)) if (match[1] !== undefined) names.push(match[1]);
  }
  return names;
}
