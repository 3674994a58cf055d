-- Search reads the messages of one user and needs no index of everybody's words. The words of each
-- message stay in their column.
DROP INDEX messages_words;
