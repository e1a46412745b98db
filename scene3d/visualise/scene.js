// The rotatable view: merged voxel faces, points and the camera, in WebGL 2, without any library.
"use strict";
(() => {
  const canvas = document.getElementById("view");
  const data = JSON.parse(document.getElementById("scene").textContent);
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: false });
  if (!gl) {
    document.getElementById("stage").classList.add("flat");
    return;
  }
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  // Voxels: one instance a rectangle: (x, y, z, side, width - 1, height - 1, colour, -).
  const quadShader = program(
    `#version 300 es
    layout(location = 0) in uvec4 a;
    layout(location = 1) in uvec4 b;
    uniform mat4 view;
    uniform vec3 origin;
    uniform float size;
    uniform highp sampler2D palette;
    out vec2 cell;
    flat out vec3 colour;
    void main() {
      // Two hundredths of a cell more on each side close the cracks between rectangles of unlike length.
      vec2 end = vec2(gl_VertexID & 1, gl_VertexID >> 1);
      vec2 corner = end * (vec2(b.xy) + 1.0) + 0.02 * (2.0 * end - 1.0);
      int axis = int(a.w) >> 1;
      vec3 p = vec3(a.xyz);
      p[axis] += float(a.w & 1u);
      p[axis == 0 ? 1 : 0] += corner.x;
      p[axis == 2 ? 1 : 2] += corner.y;
      float shades[6] = float[6](0.74, 0.62, 0.84, 0.68, 0.45, 1.0);
      cell = corner;
      colour = texelFetch(palette, ivec2(int(b.z), 0), 0).rgb * shades[int(a.w)];
      gl_Position = view * vec4(origin + size * p, 1.0);
    }`,
    `#version 300 es
    precision highp float;
    in vec2 cell;
    flat in vec3 colour;
    out vec4 pixel;
    void main() {
      vec2 width = fwidth(cell);
      vec2 edge = 1.0 - smoothstep(vec2(0.0), 1.5 * width, min(fract(cell), 1.0 - fract(cell)));
      float line = max(edge.x, edge.y) * clamp(0.25 / max(width.x, width.y) - 1.0, 0.0, 1.0);
      pixel = vec4(colour * (1.0 - 0.22 * line), 1.0);
    }`,
  );
  // Points and lines: positions in centimetres, colours a vertex.
  const pointShader = program(
    `#version 300 es
    layout(location = 0) in vec3 p;
    layout(location = 1) in vec3 c;
    uniform mat4 view;
    uniform float dot;
    out vec3 colour;
    void main() {
      colour = c;
      gl_Position = view * vec4(p * 0.01, 1.0);
      gl_PointSize = clamp(dot / gl_Position.w, 1.5, 14.0);
    }`,
    `#version 300 es
    precision highp float;
    in vec3 colour;
    out vec4 pixel;
    void main() { pixel = vec4(colour, 1.0); }`,
  );

  function program(vertex, fragment) {
    const made = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(made, shader);
    }
    gl.linkProgram(made);
    return made;
  }
  function arrays(fill) {
    const made = gl.createVertexArray();
    gl.bindVertexArray(made);
    fill();
    gl.bindVertexArray(null);
    return made;
  }
  function upload(values) {
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  }
  function coloured(positions, colours) {
    return arrays(() => {
      upload(positions);
      gl.enableVertexAttribArray(0);
      gl.vertexAttribPointer(0, 3, gl.SHORT, false, 0, 0);
      upload(colours);
      gl.enableVertexAttribArray(1);
      gl.vertexAttribPointer(1, 3, gl.UNSIGNED_BYTE, true, 0, 0);
    });
  }

  const quads = bytes(data.quads);
  const voxels = arrays(() => {
    upload(quads);
    for (const i of [0, 1]) {
      gl.enableVertexAttribArray(i);
      gl.vertexAttribIPointer(i, 4, gl.UNSIGNED_BYTE, 8, 4 * i);
      gl.vertexAttribDivisor(i, 1);
    }
  });
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, bytes(data.palette));
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  const positions = new Int16Array(bytes(data.points).buffer);
  const points = coloured(positions, bytes(data.colours));
  const wire = [0, 1, 0, 2, 0, 3, 0, 4, 1, 2, 2, 3, 3, 4, 4, 1].flatMap((i) => data.camera[i]);
  // The way of a drive, piece by piece.
  const way = data.way || [];
  for (let i = 1; i < way.length; i++) wire.push(...way[i - 1], ...way[i]);
  const frustum = coloured(
    Int16Array.from(wire, (metres) => Math.round(100 * metres)),
    Uint8Array.from(wire, (_, i) => [232, 74, 39][i % 3]),
  );

  // The eye circles a target; z is up. Angles in radians, lengths in metres.
  const home = data.home;
  let eye;
  function reset(at) {
    eye = { target: [...at.target], yaw: at.yaw, pitch: at.pitch, distance: at.distance };
    draw();
  }
  const shown = { voxels: quads.length > 0, points: quads.length === 0, camera: true };

  function matrix() {
    const [cy, sy, cp, sp] = [Math.cos(eye.yaw), Math.sin(eye.yaw), Math.cos(eye.pitch), Math.sin(eye.pitch)];
    const back = [-cp * cy, -cp * sy, sp];
    const right = [sy, -cy, 0];
    const up = [sp * cy, sp * sy, cp];
    const at = eye.target.map((t, i) => t + eye.distance * back[i]);
    const dot = (v) => -(v[0] * at[0] + v[1] * at[1] + v[2] * at[2]);
    // 50 degrees from top to bottom, more where the canvas is narrow, so that as much is seen across.
    const f = Math.min(1, canvas.width / canvas.height / 1.2) / Math.tan((25 * Math.PI) / 180);
    const [near, far] = [Math.max(0.05, eye.distance / 200), eye.distance + 400];
    const [a, b] = [(far + near) / (near - far), (2 * far * near) / (near - far)];
    const x = f / (canvas.width / canvas.height);
    const columns = [];
    for (const i of [0, 1, 2]) columns.push(x * right[i], f * up[i], a * back[i], -back[i]);
    columns.push(x * dot(right), f * dot(up), a * dot(back) + b, -dot(back));
    return { view: columns, right, up };
  }
  let waiting = false;
  function draw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      const ratio = window.devicePixelRatio || 1;
      canvas.width = Math.round(canvas.clientWidth * ratio);
      canvas.height = Math.round(canvas.clientHeight * ratio);
      const back = getComputedStyle(canvas).backgroundColor.match(/[\d.]+/g).map((c) => c / 255);
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clearColor(back[0], back[1], back[2], 1);
      gl.enable(gl.DEPTH_TEST);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      const { view } = matrix();
      if (shown.voxels && quads.length) {
        gl.useProgram(quadShader);
        gl.uniformMatrix4fv(gl.getUniformLocation(quadShader, "view"), false, view);
        gl.uniform3fv(gl.getUniformLocation(quadShader, "origin"), data.origin);
        gl.uniform1f(gl.getUniformLocation(quadShader, "size"), data.size);
        gl.bindVertexArray(voxels);
        gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, quads.length / 8);
      }
      gl.useProgram(pointShader);
      gl.uniformMatrix4fv(gl.getUniformLocation(pointShader, "view"), false, view);
      gl.uniform1f(gl.getUniformLocation(pointShader, "dot"), data.dot * canvas.height);
      if (shown.points && positions.length) {
        gl.bindVertexArray(points);
        gl.drawArrays(gl.POINTS, 0, positions.length / 3);
      }
      if (shown.camera) {
        gl.bindVertexArray(frustum);
        gl.drawArrays(gl.LINES, 0, wire.length / 3);
      }
    });
  }

  function turn(dx, dy) {
    eye.yaw -= 0.006 * dx;
    eye.pitch = Math.min(1.57, Math.max(-0.3, eye.pitch + 0.006 * dy));
  }
  function move(dx, dy) {
    const { right, up } = matrix();
    const metres = eye.distance / canvas.clientHeight;
    eye.target = eye.target.map((t, i) => t + metres * (dy * up[i] - dx * right[i]));
  }
  function zoom(factor) {
    eye.distance = Math.min(300, Math.max(1, eye.distance * factor));
  }
  const fingers = new Map();
  const spread = () => {
    const [p, q] = [...fingers.values()];
    return Math.hypot(p[0] - q[0], p[1] - q[1]);
  };
  canvas.addEventListener("pointerdown", (e) => {
    canvas.setPointerCapture(e.pointerId);
    fingers.set(e.pointerId, [e.clientX, e.clientY]);
  });
  canvas.addEventListener("pointermove", (e) => {
    const last = fingers.get(e.pointerId);
    if (!last) return;
    const before = fingers.size === 2 ? spread() : 0;
    const [dx, dy] = [e.clientX - last[0], e.clientY - last[1]];
    fingers.set(e.pointerId, [e.clientX, e.clientY]);
    if (fingers.size === 2) {
      zoom(before / Math.max(spread(), 1));
      move(dx / 2, dy / 2);
    } else if (e.shiftKey || e.buttons === 2) move(dx, dy);
    else turn(dx, dy);
    draw();
  });
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, (e) => fingers.delete(e.pointerId));
  canvas.addEventListener("contextmenu", (e) => e.preventDefault());
  canvas.addEventListener("wheel", (e) => {
    e.preventDefault();
    zoom(Math.exp(0.001 * e.deltaY));
    draw();
  }, { passive: false });
  canvas.addEventListener("dblclick", () => reset(home));
  canvas.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: [-20, 0], ArrowRight: [20, 0], ArrowUp: [0, 20], ArrowDown: [0, -20] }[e.key];
    if (step) turn(...step);
    else if (e.key === "+" || e.key === "-") zoom(e.key === "+" ? 0.9 : 1.1);
    else return;
    e.preventDefault();
    draw();
  });
  for (const button of document.querySelectorAll("[data-show]")) {
    const name = button.dataset.show;
    const mark = () => button.setAttribute("aria-pressed", shown[name]);
    button.addEventListener("click", () => {
      shown[name] = !shown[name];
      mark();
      draw();
    });
    mark();
  }
  for (const button of document.querySelectorAll("[data-view]"))
    button.addEventListener("click", () => reset(data[button.dataset.view]));
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  reset(home);
})();
