/* The render functions of the tree's rows: from a key to the texts of fs/render/render.h. */
#ifndef FS_RENDER_TEXT_H
#define FS_RENDER_TEXT_H

#include "fs/fs.h"

#define TEXT_RENDER(name)                                                                          \
	int name(struct fs *fs, uint64_t key, const struct caller *caller, struct strbuf *out,     \
		 struct error *err)

TEXT_RENDER(text_render_help);
TEXT_RENDER(text_render_error);
TEXT_RENDER(text_render_reply);      /* of the ctl of that container, of MNT/ctl for key 0 */
TEXT_RENDER(text_render_exec_reply); /* of the ctl of an entry of exec/ */
TEXT_RENDER(text_render_exec_status);
TEXT_RENDER(text_render_info);
TEXT_RENDER(text_render_version);
TEXT_RENDER(text_render_ps);
TEXT_RENDER(text_render_config);
TEXT_RENDER(text_render_status);
TEXT_RENDER(text_render_inspect);
TEXT_RENDER(text_render_net);
/* FILE_REPORT: worker threads only. */
TEXT_RENDER(text_render_changes);
TEXT_RENDER(text_render_top);
TEXT_RENDER(text_render_stats);
TEXT_RENDER(text_render_image_config);
TEXT_RENDER(text_render_manifest);
TEXT_RENDER(text_render_history);
TEXT_RENDER(text_render_layers);
TEXT_RENDER(text_render_size);
TEXT_RENDER(text_render_tags);

/* The engine's facts as `info` shows them; also for the command. */
struct render_info;
void text_get_info(struct fs *fs, struct render_info *ret);

#endif
